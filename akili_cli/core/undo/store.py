"""All SQL of undo, as functions of a connection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.core.undo.model import UndoEntry

Step = Callable[[Connection, float], None]
"""One thing to write down at an effect's end, given the time."""

_RENAMED = {"org": "org_id", "user": "user_id", "before": "before_digest", "after": "after_digest"}
_FIELDS = tuple(field.name for field in fields(UndoEntry))
_COLUMNS = ", ".join(_RENAMED.get(name, name) for name in _FIELDS)
_VALUES = ", ".join(f":{name}" for name in _FIELDS)
_OURS = "org_id = :org AND user_id = :user AND host = :host"


def add(connection: Connection, entries: Sequence[UndoEntry]) -> None:
    """Add entries."""
    for entry in entries:
        connection.execute(
            f"INSERT INTO undo_entries ({_COLUMNS}) VALUES ({_VALUES})",  # noqa: S608 - our own column names
            {name: getattr(entry, name) for name in _FIELDS},
        )


def finish(connection: Connection, entry_id: str, after: str | None, at: float) -> None:
    """Note how the effect left the file; when it was an undo, the undone entry changes with it."""
    params: dict[str, object] = {"id": entry_id, "after": after, "at": at}
    rows = connection.execute(
        "UPDATE undo_entries SET after_digest = :after, finished_at = :at WHERE id = :id RETURNING undo_of", params
    )
    undone = rows[0]["undo_of"] if rows else None
    if undone is None:
        return
    again = connection.execute(
        "UPDATE undo_entries SET undone_at = :at WHERE id = :undone RETURNING undo_of", {"at": at, "undone": undone}
    )
    if again and again[0]["undo_of"] is not None:  # an undo was undone: what it had undone stands again
        connection.execute("UPDATE undo_entries SET undone_at = NULL WHERE id = :id", {"id": again[0]["undo_of"]})


def shrink(connection: Connection, entry_id: str, before: str, stored_bytes: int, lost: str | None) -> None:
    """Note that an entry needs less than was kept for it; with something ``lost`` it cannot be undone."""
    connection.execute(
        "UPDATE undo_entries SET before_digest = :before, stored_bytes = :size, why_not = :why WHERE id = :id",
        {"id": entry_id, "before": before, "size": stored_bytes, "why": lost and f"{lost!r} is no file and not kept"},
    )


def remove(connection: Connection, entry_id: str) -> None:
    """Take an entry away: nothing was changed."""
    connection.execute("DELETE FROM undo_entries WHERE id = :id", {"id": entry_id})


def find(connection: Connection, who: Mapping[str, object], beginning: str) -> list[UndoEntry]:
    """Give up to two of a user's entries whose id begins like that, or whose audit id is that."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM undo_entries WHERE {_OURS} "  # noqa: S608 - our own column names
        "AND (substr(id, 1, :length) = :beginning OR audit_id = :beginning) ORDER BY at DESC, id LIMIT 2",
        {**who, "beginning": beginning, "length": len(beginning)},
    )
    return [_entry(row) for row in rows]


def listing(connection: Connection, who: Mapping[str, object], limit: int) -> list[UndoEntry]:
    """Give a user's newest entries, newest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM undo_entries WHERE {_OURS} ORDER BY at DESC, id LIMIT :limit",  # noqa: S608 - as above
        {**who, "limit": limit},
    )
    return [_entry(row) for row in rows]


def newest(connection: Connection, who: Mapping[str, object]) -> UndoEntry | None:
    """Give a user's newest entry that is neither undone nor itself an undo."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM undo_entries WHERE {_OURS} "  # noqa: S608 - as above
        "AND undone_at IS NULL AND undo_of IS NULL ORDER BY at DESC, id LIMIT 1",
        who,
    )
    return _entry(rows[0]) if rows else None


def make_room(connection: Connection, org: str, host: str, limit: int, keep: Collection[str]) -> list[str]:
    """Give up an organisation's oldest images on this machine until the rest takes at most ``limit`` bytes.

    Gives the digests of those given up. Those in ``keep`` stay.
    """
    rows = connection.execute(
        "SELECT before_digest AS digest, MAX(stored_bytes) AS size, MAX(at) AS used FROM undo_entries "
        "WHERE org_id = :org AND host = :host AND before_digest IS NOT NULL AND why_not IS NULL "
        "GROUP BY before_digest ORDER BY used",
        {"org": org, "host": host},
    )
    sizes = {str(row["digest"]): int(str(row["size"])) for row in rows}
    total, dropped = sum(sizes.values()), []
    for digest, size in sizes.items():
        if total <= limit:
            break
        if digest in keep:
            continue
        connection.execute(
            "UPDATE undo_entries SET why_not = :why WHERE org_id = :org AND host = :host AND before_digest = :digest",
            {"why": "its earlier content made room for newer ones", "org": org, "host": host, "digest": digest},
        )
        total -= size
        dropped.append(digest)
    return dropped


def _entry(row: Row) -> UndoEntry:
    return UndoEntry(**{name: row[_RENAMED.get(name, name)] for name in _FIELDS})  # type: ignore[arg-type] # own rows
