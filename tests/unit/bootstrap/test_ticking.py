from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.dbos import DbosEngine
from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.ticking import FIRE_NAMES, open_ticking, switched_on
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.schedule.base import FireStatus
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import ConfigError
from akili_cli.features.cron.model import JobDraft
from akili_cli.features.cron.service import as_due

ANN = Principal("ann", Source.CLI)


def start(tmp_path: Path, **overrides: object) -> Start:
    home = tmp_path / "ticking-home"
    home.mkdir(mode=0o700)
    return Start(env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, cwd=tmp_path, overrides=overrides)


async def test_nothing_switched_on_is_an_error_that_names_the_switch(tmp_path: Path) -> None:
    async with open_state(start(tmp_path)) as state, open_app(state) as app:
        with pytest.raises(ConfigError) as caught:
            switched_on(app)
    assert "scheduler.enabled" in caught.value.hint


@pytest.mark.parametrize("durable", [False, True], ids=["here", "surviving"])
async def test_a_fire_is_on_record_from_its_begin_to_its_end(tmp_path: Path, durable: bool) -> None:
    async with open_state(start(tmp_path, **{"scheduler.enabled": True})) as state, open_app(state) as app:
        assert switched_on(app) == ("cron",)
        draft = JobDraft(name="health", cron_expression="0 3 * * *", goal="Is this host healthy?")
        job = await app.cron.add(draft, ANN)
        async with open_ticking(app, ("cron",), durable=durable) as ticking:
            assert isinstance(ticking.ticker._engine, DbosEngine) is durable
            fire = await ticking.ticker.trigger(as_due(job, 60.0), "cron", "ann")
            ended = await ticking.ticker.play(fire)
        records = [entry.record for entry in await AuditReader(state.db, state.org).tail(1000)]
    assert ended is not None
    assert ended.status is FireStatus.OK
    fired = [record for record in records if record.tool == FIRE_NAMES["cron"]]
    assert [str(record.result) for record in fired] == ["started", "success"]
    assert {record.correlation_id for record in fired} == {fire.id}
    calls = [record for record in records if record.tool == "shell_exec"]
    assert calls
    assert {(record.user, record.source, record.correlation_id) for record in calls} == {("ann", "cron", fire.id)}
