"""Ends the intents a process left open when it was killed: what became of them is unknown, and is not tried again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import STREAM_ID, ChainKey, header
from akili_cli.core.audit.linefile import file_of, is_locked
from akili_cli.core.audit.model import AuditRecord, Kind, Result, record_from

UNKNOWN = "akili ended before the outcome was recorded: it may have happened, and it was not repeated"
CHANGED = "akili ended before the outcome was recorded, and the record of the intent was changed since"


def interrupted(connection: Connection, key: ChainKey, streams: Iterable[str]) -> list[AuditRecord]:
    """Give an outcome for each intent in these streams that has none, in their order.

    Outcomes stand in the stream of their intents, so a stream whose writer is gone will get no further one. Whoever
    closes the stream records these in the same transaction; closing happens once, however many processes try.
    """
    return [_outcome(row, key) for stream in streams for row in store.open_intents(connection, stream)]


def abandoned(connection: Connection, directory: Path) -> list[str]:
    """Give the streams whose writers are gone without having closed them, and that no later process has closed yet.

    Streams that other machines write are left out: whether their writers live is known there.
    """
    here, found = os.uname().nodename, list[str]()
    for head in store.open_heads(connection):
        stream = str(head["stream"])
        if not STREAM_ID.fullmatch(stream):
            continue
        path = file_of(directory, stream)
        if (path.exists() or head["host"] == here) and not is_locked(path):
            found.append(stream)
    return found


def left_open(connection: Connection, directory: Path) -> list[Row]:
    """Give the intents without an outcome in abandoned streams."""
    return [row for stream in abandoned(connection, directory) for row in store.open_intents(connection, stream)]


def _outcome(row: Row, key: ChainKey) -> AuditRecord:
    """Repeat what the intent says, if it still is what was written."""
    intent = f"{row['stream']}-{row['seq']}"
    unknown = AuditRecord(kind=Kind.CALL_OUTCOME, result=Result.INTERRUPTED, intent=intent, error=CHANGED)
    try:
        body = str(row["body"])
        if key.entry_hash(body.encode()) == row["hash"] and body.startswith(header(row)):
            said = record_from(row, json.loads(body)["details"])
            return replace(said, kind=unknown.kind, result=unknown.result, intent=intent, error=UNKNOWN)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return unknown
