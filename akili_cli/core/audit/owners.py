"""Whose a stream is: in a shared database each organisation has its own, kept with a key of its own."""

from __future__ import annotations

from collections.abc import Collection

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import ChainKey, header


def foreign_streams(connection: Connection, org: str | None, key: ChainKey, here: Collection[str]) -> set[str]:
    """Give the streams that are not the organisation's (none without one).

    A stream that has its file ``here`` was written with our key: it is another's only if its first record, as it was
    written, says so. A changed column cannot take it out of the verification.
    """
    if org is None:
        return set()
    claimed = store.foreign_streams(connection, org)
    return {name for name in claimed if name not in here or _as_written(store.entry(connection, name, 1), key)}


def columns_fit(row: Row, body: str) -> bool:
    """Tell whether the columns of a row say what its hashed body says."""
    try:
        return body.startswith(header(row)) and row["id"] == f"{row['stream']}-{row['seq']}"
    except TypeError:
        return False


def _as_written(row: Row | None, key: ChainKey) -> bool:
    body = row["body"] if row is not None else None
    return (
        row is not None
        and isinstance(body, str)
        and key.entry_hash(body.encode()) == row["hash"]
        and columns_fit(row, body)
    )
