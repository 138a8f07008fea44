"""Reads the audit back, newest first in the table, oldest first on the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akili_cli.adapters.storage.base import Database, Row
from akili_cli.core.audit import recovery, store
from akili_cli.core.audit.model import AuditEntry, record_from
from akili_cli.domain.errors import AuditError, NotFoundError

_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; every given field must fit. ``text`` may stand anywhere in a record, in any case.

    ``rule`` is the id of a rule that decided or matched; ``since`` and ``until`` are epoch seconds, until excluded.
    ``before`` is the (time, id) of an entry: only those that come after it, newest first.
    """

    text: str | None = None
    user: str | None = None
    tool: str | None = None
    result: str | None = None
    rule: str | None = None
    correlation_id: str | None = None
    run_id: str | None = None
    since: float | None = None
    until: float | None = None
    before: tuple[float, str] | None = None

    def condition(self) -> tuple[str, dict[str, object]]:
        """Give the SQL condition, beginning with AND, and its parameters."""
        columns = {"user_id": self.user, "tool": self.tool, "result": self.result}
        columns |= {"correlation_id": self.correlation_id, "run_id": self.run_id}
        params: dict[str, object] = {name: value for name, value in columns.items() if value is not None}
        parts = [f" AND {name} = :{name}" for name in params]
        if self.since is not None:
            parts.append(" AND at >= :since")
            params["since"] = self.since
        if self.until is not None:
            parts.append(" AND at < :until")
            params["until"] = self.until
        if self.text:
            parts.append(" AND LOWER(body) LIKE :text ESCAPE '!'")
            params["text"] = f"%{_like(self.text).lower()}%"
        if self.rule:
            forms = ('"rule":"', '"allow ', '"ask ', '"deny ')
            names = [f"rule{number}" for number in range(len(forms))]
            parts.append(" AND (" + " OR ".join(f"body LIKE :{name} ESCAPE '!'" for name in names) + ")")
            params |= {name: f"%{form}{_like(self.rule)}@%" for name, form in zip(names, forms, strict=True)}
        if self.before is not None:
            stream, _, seq = self.before[1].rpartition("-")
            last = "stream < :b_stream OR (stream = :b_stream AND seq < :b_seq)"
            parts.append(f" AND (at < :b_at OR (at = :b_at AND ({last})))")
            number = int(seq) if seq.isascii() and seq.isdigit() and len(seq) < _MAX_DIGITS else 0
            params |= {"b_at": self.before[0], "b_stream": stream, "b_seq": number}
        return "".join(parts), params


def _like(text: str) -> str:
    """Write a text as it stands in a body (JSON, ASCII), with LIKE's own characters escaped."""
    inside = json.dumps(text)[1:-1]
    return inside.replace("!", "!!").replace("%", "!%").replace("_", "!_")


class AuditReader:
    """One organisation's entries. It reads rows as they stand; ``verify`` tells whether they are genuine."""

    def __init__(self, db: Database, org: str = "default") -> None:
        """Keep the database and whose entries to show."""
        self._db = db
        self._org = org

    async def tail(
        self, n: int, *, user: str | None = None, tool: str | None = None, result: str | None = None
    ) -> list[AuditEntry]:
        """Give the last ``n`` entries that fit, oldest first."""
        wanted = {"user_id": user, "tool": tool, "result": result}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = "".join(f" AND {name} = :{name}" for name in given)
        order = "at DESC, stream DESC, seq DESC LIMIT :n"
        return list(reversed(await self._select(where, {**given, "n": max(n, 0)}, order)))

    async def search(self, search: Search, limit: int) -> list[AuditEntry]:
        """Give the newest entries that fit, newest first."""
        where, params = search.condition()
        order = "at DESC, stream DESC, seq DESC LIMIT :n"
        return await self._select(where, {**params, "n": max(limit, 0)}, order)

    async def get(self, entry_id: str) -> AuditEntry:
        """Give one entry by its id; raises ``NotFoundError``."""
        found = await self._select(" AND id = :id", {"id": entry_id}, "id")
        if not found:
            raise NotFoundError(f"no audit record {entry_id!r}", hint="akili audit tail lists the newest")
        return found[0]

    async def by_correlation(self, correlation_id: str) -> list[AuditEntry]:
        """Give everything that one request caused, in the order it was recorded."""
        where = " AND correlation_id = :correlation_id"
        return await self._select(where, {"correlation_id": correlation_id}, "at, stream, seq")

    async def left_open(self, directory: Path) -> list[AuditEntry]:
        """Give the intents that processes left without an outcome when they were killed, not ended yet.

        ``directory`` holds the streams' files, which tell whether their writers live.
        """
        rows = await self._db.read(lambda connection: recovery.left_open(connection, directory))
        return [_entry(row) for row in rows if row["org_id"] == self._org]

    async def interrupted(self, since: float) -> list[AuditEntry]:
        """Give the outcomes recorded since then for intents that were left open, oldest first."""
        where = " AND kind = 'call.outcome' AND result = 'interrupted' AND at >= :since"
        found = await self._select(where, {"since": since}, "at, stream, seq")
        return [entry for entry in found if entry.record.intent]

    async def _select(self, where: str, params: Mapping[str, object], order: str) -> list[AuditEntry]:
        given = {**params, "org": self._org}
        rows = await self._db.read(lambda connection: store.select(connection, f"org_id = :org{where}", given, order))
        return [_entry(row) for row in rows]


def _entry(row: Row) -> AuditEntry:
    try:
        details = json.loads(str(row["body"]))["details"]
        return AuditEntry(
            id=str(row["id"]),
            stream=str(row["stream"]),
            seq=int(str(row["seq"])),
            at=float(str(row["at"])),
            prev_hash=str(row["prev_hash"]),
            hash=str(row["hash"]),
            record=record_from(row, details),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AuditError(f"audit record {row['id']!r} cannot be read", hint="run 'akili audit verify'") from error
