"""Verifies the audit of a process that serves others meanwhile: one at a time, beside the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from akili_cli.adapters.storage.base import Database
from akili_cli.core.audit.verify import VerifyReport, verify
from akili_cli.domain.errors import BusyError


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks one organisation's audit; it is read in one of the database's own threads."""

    db: Database
    directory: Path
    key: bytes
    org: str
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> VerifyReport:
        """Check everything; raises ``BusyError`` while another check is under way, and like ``verify``."""
        if self._one.locked():
            raise BusyError("the audit is being verified already", hint="wait for that to end")
        async with self._one:
            return await verify(self.db, self.directory, self.key, org=self.org)
