"""All SQL of the audit, as functions of a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.domain.errors import AuditError

_COLUMNS = (
    "stream, seq, id, org_id, at, kind, correlation_id, run_id, conversation_id, user_id, source, tool, call_id, "
    "result, body, prev_hash, hash"
)
_INSERT = (
    f"INSERT INTO audit_events ({_COLUMNS}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join(':' + name for name in _COLUMNS.split(', '))})"
)
_REST = (
    """',"kind":"' || kind || '","org":"' || org_id || '","user":"' || user_id || '","source":"' || source """
    """|| '","correlation_id":"' || correlation_id || '","run_id":"' || run_id || '","conversation_id":"' """
    """|| conversation_id || '","tool":"' || tool || '","call_id":"' || call_id || '","result":"' || result """
    """|| '","details":'"""
)
REST_QUOTES = 42
_PAGE_OF = "FROM audit_events WHERE stream = :stream AND seq > :after ORDER BY seq LIMIT :limit"
_PAGE = (
    "SELECT seq, at, body, hash, id = stream || '-' || seq AS named, "
    """'{"stream":"' || stream || '","seq":' || seq || ',"prev_hash":"' || prev_hash || '","at":' AS head, """
    f"{_REST} AS rest {_PAGE_OF}"
)
AT_STEPS = 4194304.0
_PAGE_TEXT = (
    "SELECT body || (:nl || hash || ' ' || prev_hash || seq || ' ' || id || ' ' "  # the long text is copied once
    f"|| CAST(at * {AT_STEPS:.1f} AS bigint) || :nl || {_REST}) AS line {_PAGE_OF}"
)
_HEAD = "stream, started_at, host, pid, count, head_hash, mac, closed_at"


def insert_stream(connection: Connection, head: Mapping[str, object]) -> None:
    """Add the head row of a new stream."""
    connection.execute(
        f"INSERT INTO audit_streams ({_HEAD}) "  # noqa: S608 - our own column names
        "VALUES (:stream, :started_at, :host, :pid, :count, :head_hash, :mac, :closed_at)",
        head,
    )


def append(connection: Connection, rows: Sequence[Row], before: Mapping[str, object], after: Row) -> None:
    """Add entries and move the stream's head.

    Raises ``AuditError`` when the head row is not as this writer left it: the stream must not fork.
    """
    for row in rows:
        connection.execute(_INSERT, row)
    if not move_head(connection, before, after):
        raise AuditError(
            f"the head of audit stream {after['stream']} was changed by somebody else",
            hint="run 'akili audit verify'",
        )


def move_head(connection: Connection, before: Mapping[str, object], after: Row) -> bool:
    """Change a stream's head row if it still is what it was before; tell whether it was."""
    changed = connection.changed(
        "UPDATE audit_streams SET count = :count, head_hash = :head_hash, mac = :mac, closed_at = :closed_at "
        "WHERE stream = :stream AND count = :old_count AND head_hash = :old_hash AND mac = :old_mac",
        {
            **{name: after[name] for name in ("count", "head_hash", "mac", "closed_at", "stream")},
            "old_count": before["count"],
            "old_hash": before["head_hash"],
            "old_mac": before["mac"],
        },
    )
    return changed == 1


def heads(connection: Connection, org: str | None = None) -> list[Row]:
    """Give every stream's head row, oldest first; with ``org`` only that organisation's streams."""
    where, params = _of(org)
    return connection.execute(f"SELECT {_HEAD} FROM audit_streams WHERE {where} ORDER BY stream", params)  # noqa: S608 - our own names


def foreign_streams(connection: Connection, org: str) -> set[str]:
    """Give the streams that begin with another organisation's record."""
    where, params = _of(org)
    rows = connection.execute(f"SELECT stream FROM audit_streams WHERE NOT {where}", params)  # noqa: S608 - our own names
    return {str(row["stream"]) for row in rows}


def _of(org: str | None, table: str = "audit_streams") -> tuple[str, dict[str, object]]:
    """Write that a row's stream is an organisation's: its first record is not another's, or is missing."""
    first = f"SELECT 1 FROM audit_events AS first WHERE first.stream = {table}.stream AND first.seq = 1"  # noqa: S608 - our own names
    return (f"NOT EXISTS ({first} AND first.org_id <> :org)", {"org": org}) if org is not None else ("1 = 1", {})


def head(connection: Connection, stream: str) -> Row | None:
    """Give one stream's head row."""
    rows = connection.execute(
        f"SELECT {_HEAD} FROM audit_streams WHERE stream = :stream",  # noqa: S608 - our own names
        {"stream": stream},
    )
    return rows[0] if rows else None


def open_heads(connection: Connection, org: str | None = None) -> list[Row]:
    """Give the head rows of the streams that nobody has closed; with ``org`` only that organisation's."""
    where, params = _of(org)
    return connection.execute(
        f"SELECT {_HEAD} FROM audit_streams WHERE closed_at IS NULL AND {where} ORDER BY stream",  # noqa: S608 - our own names
        params,
    )


def unsettled_heads(connection: Connection, org: str, recent: int) -> list[Row]:
    """Give the heads a new anchor must state: open ones, the last few, and all closed since those began."""
    where, params = _of(org)
    last = connection.execute(
        f"SELECT stream, started_at FROM audit_streams WHERE {where} ORDER BY stream DESC LIMIT :recent",  # noqa: S608 - our own names
        {**params, "recent": recent},
    )
    if not last:
        return []
    since = {**params, "stream": last[-1]["stream"], "at": last[-1]["started_at"]}
    return connection.execute(
        f"SELECT {_HEAD} FROM audit_streams "  # noqa: S608 - our own names
        f"WHERE {where} AND (closed_at IS NULL OR stream >= :stream OR closed_at >= :at) ORDER BY stream",
        since,
    )


def page(connection: Connection, stream: str, after: int, limit: int) -> list[Row]:
    """Give a stream's entries in order, those after a number, in the form that is quickest to check.

    ``named`` tells whether the id is right; ``head`` and ``rest`` are the columns as the body begins with them,
    around the time, if none of them holds a character that JSON escapes.
    """
    return connection.execute(_PAGE, {"stream": stream, "after": after, "limit": limit})


def page_text(connection: Connection, stream: str, after: int, limit: int) -> str:
    """Give a stream's entries after a number as text, three lines each: body; hash, hash before with number, id and
    time; columns.

    The time is counted in steps of which a second has ``AT_STEPS``: whole numbers that say exactly what the column
    holds, from the year 2004 on.
    """
    return connection.joined(_PAGE_TEXT, {"stream": stream, "after": after, "limit": limit, "nl": "\n"})


def entry(connection: Connection, stream: str, seq: int) -> Row | None:
    """Give one whole entry."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM audit_events WHERE stream = :stream AND seq = :seq",  # noqa: S608 - our own names
        {"stream": stream, "seq": seq},
    )
    return rows[0] if rows else None


def rows_before_first(connection: Connection, stream: str) -> bool:
    """Tell whether a stream has entries below number 1, which akili never writes."""
    sql = "SELECT seq FROM audit_events WHERE stream = :stream AND seq < 1 LIMIT 1"
    return bool(connection.execute(sql, {"stream": stream}))


def lines_after(connection: Connection, stream: str, after: int, limit: int) -> list[Row]:
    """Give number, body and hash of a stream's entries after a number."""
    return connection.execute(
        "SELECT seq, body, hash FROM audit_events WHERE stream = :stream AND seq > :after ORDER BY seq LIMIT :limit",
        {"stream": stream, "after": after, "limit": limit},
    )


def hash_at(connection: Connection, stream: str, seq: int) -> object:
    """Give the hash of one entry, or None."""
    rows = connection.execute(
        "SELECT hash FROM audit_events WHERE stream = :stream AND seq = :seq", {"stream": stream, "seq": seq}
    )
    return rows[0]["hash"] if rows else None


def prev_hash_at(connection: Connection, stream: str, seq: int) -> str:
    """Give the hash before an entry that exists."""
    rows = connection.execute(
        "SELECT prev_hash FROM audit_events WHERE stream = :stream AND seq = :seq", {"stream": stream, "seq": seq}
    )
    return str(rows[0]["prev_hash"])


def open_intents(connection: Connection, stream: str) -> list[Row]:
    """Give a stream's entries that say what is about to be done and that no outcome follows, in order."""
    last = "MAX(CASE WHEN kind = '{}' THEN seq ELSE 0 END)"
    intent, outcome = last.format("call.intent"), last.format("call.outcome")
    return connection.execute(
        f"SELECT {_COLUMNS} FROM audit_events WHERE stream = :stream AND seq IN ("  # noqa: S608 - our own text
        f"SELECT {intent} FROM audit_events WHERE stream = :stream AND kind IN ('call.intent', 'call.outcome') "
        f"GROUP BY run_id, call_id HAVING {intent} > {outcome}) ORDER BY seq",
        {"stream": stream},
    )


def ranges(
    connection: Connection, org: str | None, since: float | None, until: float | None
) -> list[tuple[str, int, int]]:
    """Give the first and last number among the entries of a time, of each stream (of an organisation)."""
    conditions = {"at >= :since": ("since", since), "at < :until": ("until", until)}
    given = {text: (name, value) for text, (name, value) in conditions.items() if value is not None}
    own, params = _of(org, "audit_events")
    rows = connection.execute(
        f"SELECT stream, MIN(seq) AS first, MAX(seq) AS last FROM audit_events WHERE {' AND '.join((own, *given))} "  # noqa: S608 - our own text
        "GROUP BY stream ORDER BY stream",
        {**params, **dict(given.values())},
    )
    return [(str(row["stream"]), int(str(row["first"])), int(str(row["last"]))) for row in rows]


def stream_names(connection: Connection) -> list[object]:
    """Give the streams that have entries, hopping through the key instead of reading every row."""
    rows = connection.execute(
        "WITH RECURSIVE names(stream) AS ("
        "SELECT MIN(stream) FROM audit_events UNION ALL "
        "SELECT (SELECT MIN(e.stream) FROM audit_events e WHERE e.stream > names.stream) FROM names "
        "WHERE names.stream IS NOT NULL) SELECT stream FROM names WHERE stream IS NOT NULL"
    )
    return [row["stream"] for row in rows]


def select(connection: Connection, where: str, params: Mapping[str, object], order: str) -> list[Row]:
    """Give whole entries by a condition of our own making."""
    return connection.execute(
        f"SELECT {_COLUMNS} FROM audit_events WHERE {where} ORDER BY {order}",  # noqa: S608 - conditions are ours
        params,
    )
