from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from akili_cli.bootstrap.app import Start
from akili_cli.bootstrap.ground import ShiftedClock, open_ground
from akili_cli.bootstrap.rulings import Asked
from akili_cli.config.paths import open_workspace
from akili_cli.domain.calls import Status
from akili_cli.domain.clock import SystemClock
from tests.fakes.policies import BASE, loaded_from


async def test_calls_go_through_the_real_pipeline_and_do_nothing(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, BASE.replace("/srv", str(tmp_path)))
    real = open_workspace(os.environ)
    before = sorted(path.name for path in real.root.rglob("*"))
    start = Start(env=dict(os.environ), cwd=tmp_path)
    async with open_ground(start, loaded, real) as ground:
        look = Asked(tool="shell_exec", arguments={"command": "df -h"}, user="ann")
        step = await ground.app.pipeline.run(look.call(), look.run())
        assert (step.status, step.text, ground.executions.count) == (Status.OK, "nothing was done", 1)
        touched = Asked(tool="file_read", arguments={"path": str(real.root / "akili.db")}, user="ann")
        step = await ground.app.pipeline.run(touched.call(), touched.run())
        assert step.status is Status.DENIED
        assert step.decision is not None
        assert step.decision.ruling.rule_id == "protected-roots"
        assert ground.app.state.workspace.root != real.root
    assert sorted(path.name for path in real.root.rglob("*")) == before
    assert not ground.app.state.workspace.root.exists()


async def test_an_answer_can_count_as_outside_text(tmp_path: Path) -> None:
    loaded, real = loaded_from(tmp_path, BASE), open_workspace(os.environ)
    async with open_ground(Start(env=dict(os.environ), cwd=tmp_path), loaded, real) as ground:
        asked = Asked(tool="shell_exec", arguments={"command": "kill 1"}, user="ann", untrusted=("x",))
        primer = ground.primer(asked)
        assert primer is not None
        step = await ground.app.pipeline.run(primer.call(), primer.run())
        assert (step.status, step.untrusted) == (Status.OK, "probe")
        assert ground.primer(replace(asked, user="nobody-knows")) is None


def test_the_clock_can_be_moved() -> None:
    clock = ShiftedClock()
    clock.shift_s = 1e6
    assert clock.now() - SystemClock().now() > 9e5
