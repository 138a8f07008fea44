from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import Start
from akili_cli.bootstrap.ground import Ground, open_ground
from akili_cli.bootstrap.prove import Entrance
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.policy.entrances import ENTRANCES
from akili_cli.config.paths import open_workspace
from akili_cli.domain.calls import Status
from tests.fakes.policies import BASE, loaded_from

PLAIN = [entrance for entrance in ENTRANCES if entrance.only is None]
KILL = Asked(tool="shell_exec", arguments={"command": "kill 1"}, user="ann")


def named(one: Entrance) -> str:
    return one.name


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    start = Start(env=dict(os.environ), cwd=tmp_path)
    async with open_ground(start, loaded_from(tmp_path, BASE), open_workspace(os.environ)) as opened:
        yield opened


@pytest.mark.parametrize("entrance", PLAIN, ids=named)
async def test_a_call_comes_to_a_decision_as_its_user(ground: Ground, entrance: Entrance) -> None:
    step = await entrance.send(ground, KILL)
    assert step is not None
    assert step.decision is not None
    assert step.status is (Status.OK if entrance.resumes else Status.APPROVAL_REQUIRED)
    assert step.decision.ruling.rule_id == "role:operator/max_risk_level"


@pytest.mark.parametrize("entrance", PLAIN, ids=named)
@pytest.mark.parametrize(
    ("fields", "carried", "rule"),
    [
        ({"read_only": True}, "read_only", "read-only-mode"),
        ({"untrusted": ("x",)}, "untrusted", "critical-always-asks"),
    ],
    ids=["read-only", "untrusted"],
)
async def test_what_an_entry_point_says_it_carries_arrives(
    ground: Ground, entrance: Entrance, fields: dict[str, object], carried: str, rule: str
) -> None:
    step = await entrance.send(ground, Asked(tool=KILL.tool, arguments=KILL.arguments, user="ann", **fields))  # type: ignore[arg-type]
    assert step is not None
    assert step.decision is not None
    assert (rule in [hit.rule_id for hit in step.decision.hits]) is (carried in entrance.carries)


async def test_undo_restores_through_the_pipeline(ground: Ground) -> None:
    (undo,) = [entrance for entrance in ENTRANCES if entrance.name == "undo"]
    arguments = {"entry": "0" * 32, "path": "/srv/x", "current": None, "earlier": "0" * 64}
    step = await undo.send(ground, Asked(tool="file_restore", arguments=arguments, user="vic"))
    assert step is not None
    assert step.status is Status.DENIED


async def test_a_persons_own_command_goes_through_the_pipeline(ground: Ground) -> None:
    (probe,) = [entrance for entrance in ENTRANCES if entrance.only == "sandbox_probe"]
    step = await probe.send(ground, Asked(tool="sandbox_probe", arguments={"argv": ["kill", "1"]}, user="ann"))
    assert step is not None
    assert step.status is Status.APPROVAL_REQUIRED
