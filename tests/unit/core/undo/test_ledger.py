from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.core.undo import store
from akili_cli.core.undo.ledger import Ledger
from akili_cli.core.undo.model import UndoState
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, NotFoundError, ToolFailedError
from tests.fakes.clock import FakeClock
from tests.fakes.permits import permit_for


@pytest.fixture
def ledger(db: SqliteDatabase, tmp_path: Path) -> Ledger:
    settings = UndoSettings.model_validate({})
    return Ledger(db, tmp_path / "undo", settings, FakeClock(), org="default", host="here")


async def test_entries_are_added_ended_and_found(ledger: Ledger) -> None:
    entry = ledger.entry(permit_for(Effects(), tool="file_write"), "/x", None)
    await ledger.add([entry])
    assert (await ledger.find(entry.id[:6], "tester")).state is UndoState.UNFINISHED
    assert await ledger.end(lambda: [lambda connection, now: store.finish(connection, entry.id, "a", now)])
    assert (await ledger.find(entry.id, "tester")).state is UndoState.READY
    assert [each.id for each in await ledger.listing("tester")] == [entry.id]
    assert await ledger.listing("somebody else") == []


async def test_an_end_that_cannot_be_found_out_leaves_the_entry_unfinished(ledger: Ledger) -> None:
    entry = ledger.entry(permit_for(Effects()), "/x", None)
    await ledger.add([entry])

    def fail() -> list[store.Step]:
        raise ToolFailedError("gone")

    assert not await ledger.end(fail)
    assert (await ledger.find(entry.id, "tester")).state is UndoState.UNFINISHED


async def test_what_names_no_entry_or_several_is_said(ledger: Ledger) -> None:
    for typed in ("", "abc", "zzzz"):
        with pytest.raises(NotFoundError):
            await ledger.find(typed, "tester")
    permit = replace(permit_for(Effects()), audit_id="of both")
    await ledger.add([ledger.entry(permit, path, None) for path in ("/x", "/y")])
    with pytest.raises(ConflictError, match="more than one"):
        await ledger.find("of both", "tester")
