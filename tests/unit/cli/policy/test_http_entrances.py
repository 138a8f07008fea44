from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import Start
from akili_cli.bootstrap.ground import open_ground
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.policy.http_entrances import HTTP_ENTRANCES
from akili_cli.config.paths import open_workspace
from akili_cli.domain.calls import Source, Status
from tests.fakes.policies import BASE, loaded_from

LEAD = BASE.replace("{ann: operator", "{lee: lead, ann: operator").replace(
    "    viewer:", "    lead: {permissions: [shell_exec, approve], max_risk_level: critical}\n    viewer:"
)
KILL = Asked(tool="shell_exec", arguments={"command": "kill 1"}, user="ann", source=Source.HTTP)
NAMES = {entrance.name: entrance for entrance in HTTP_ENTRANCES}


def test_every_way_in_is_one_over_http_and_in_nobodys_agents_name() -> None:
    assert {entrance.source for entrance in HTTP_ENTRANCES} == {Source.HTTP}
    assert not any(entrance.agents for entrance in HTTP_ENTRANCES)
    ways = {"http approve", "http edit", "http plan apply", "http undo", "http runbooks run", "webhook"}
    assert ways <= set(NAMES)


@pytest.mark.parametrize(("text", "by"), [(BASE, {"akili-probe-approver"}), (LEAD, {"lee"})], ids=["terminal", "http"])
async def test_a_ruling_comes_from_whoever_may_rule_over_http_if_anybody_may(
    tmp_path: Path, text: str, by: set[str]
) -> None:
    start = Start(env=dict(os.environ), cwd=tmp_path)
    async with open_ground(start, loaded_from(tmp_path, text), open_workspace(os.environ)) as ground:
        for name in ("http approve", "http edit", "http plan apply"):
            step = await NAMES[name].send(ground, KILL)
            assert step is not None
            assert step.status is Status.OK, name
        rulings = await ground.app.approvals.list()
        assert {one.resolved_by for one in rulings if str(one.status) == "consumed"} == by


async def test_a_delivery_comes_as_outside_text(tmp_path: Path) -> None:
    start = Start(env=dict(os.environ), cwd=tmp_path)
    async with open_ground(start, loaded_from(tmp_path, BASE), open_workspace(os.environ)) as ground:
        step = await NAMES["webhook"].send(
            ground, Asked(tool="shell_exec", arguments=KILL.arguments, user="ann", untrusted=("x",))
        )
        assert step is not None
        assert step.decision is not None
        assert str(step.decision.risk) == "critical"
