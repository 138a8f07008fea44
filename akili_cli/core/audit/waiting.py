"""Records that wait for the writer, and who waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.audit.draft import Draft
from akili_cli.core.audit.model import AuditEntry
from akili_cli.domain.errors import AkiliError

Guard = Callable[[Connection], None]


class Waiting:
    """Records to be written together, and who waits for that."""

    __slots__ = ("drafts", "entries", "future", "guard", "refusal")

    def __init__(self, drafts: list[Draft], guard: Guard | None, future: asyncio.Future[list[AuditEntry]]) -> None:
        """Wait with nothing written yet."""
        self.drafts = drafts
        self.guard = guard
        self.future = future
        self.entries: list[AuditEntry] = []
        self.refusal: AkiliError | None = None

    def passes(self, connection: Connection) -> bool:
        """Tell whether the guard lets the records be written; why not is kept for who waits."""
        self.entries, self.refusal = [], None
        try:
            if self.guard is not None:
                self.guard(connection)
        except AkiliError as error:
            self.refusal = error
        return self.refusal is None

    def answer(self) -> None:
        """Tell who waits, unless they gave up."""
        if self.future.done():
            return
        if self.refusal is None:
            self.future.set_result(self.entries)
        else:
            self.future.set_exception(self.refusal)
