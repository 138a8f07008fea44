from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.base import Connection
from akili_cli.bootstrap.app import open_app, open_state
from akili_cli.bootstrap.pruning import prune_state
from akili_cli.core.audit.reader import AuditReader
from akili_cli.domain.calls import Principal
from akili_cli.domain.errors import AuditError
from tests.unit.bootstrap.test_app import begun

DAY = 86_400.0
ANN = Principal("ann")


def add_conversations(connection: Connection) -> None:
    sql = (
        "INSERT INTO conversations (id, org_id, user_id, created_at, updated_at, title)"
        " VALUES (:id, 'default', 'ann', 0, :at, '')"
    )
    for name, at in (("old", 5.0), ("new", 4e9)):
        connection.execute(sql, {"id": name, "at": at})


async def test_what_goes_is_recorded_before_and_after_with_the_person(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state, open_app(state) as app:
        await state.db.write(add_conversations)
        counted = await prune_state(state, None, ANN, age_s=90 * DAY)
        assert counted["conversations"] == 1
        assert await AuditReader(state.db).tail(9, tool="db.prune") == []
        assert await prune_state(state, app.pipeline.audit, ANN, age_s=90 * DAY) == counted
        assert await state.db.read(lambda c: c.execute("SELECT id FROM conversations")) == [{"id": "new"}]
        before, after = await AuditReader(state.db).tail(9, tool="db.prune")
        assert (before.record.user, before.record.result, after.record.result) == ("ann", "started", "changed")
        assert after.record.parameters["deleted"] == {"conversations": 1}


async def test_nothing_goes_when_it_cannot_be_recorded(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state:
        async with open_app(state) as app:
            await state.db.write(add_conversations)
        with pytest.raises(AuditError):
            await prune_state(state, app.pipeline.audit, ANN, age_s=90 * DAY)
        assert len(await state.db.read(lambda c: c.execute("SELECT id FROM conversations"))) == 2
