from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.bootstrap.cases import asked_of, everyday_calls
from akili_cli.bootstrap.rehearsal import KINDS, NoSandbox, reach_of, tools_in
from akili_cli.core.policy.model import EFFECT_KINDS
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, SandboxError
from tests.fakes.permits import permit_for
from tests.fakes.policies import judge_from
from tests.fakes.tools import Look


async def test_nothing_is_started() -> None:
    sandbox = NoSandbox()
    with pytest.raises(SandboxError, match="rehearsal"):
        await sandbox.run(ExecRequest(("id",), 1.0), permit_for(Effects()))
    assert sandbox.layers() == ()
    await sandbox.close()


SWITCHED_ON = {"send_notification", "notification_deliver", "create_cronjob", "create_alert"}


def test_every_tool_says_what_it_may_do(tmp_path: Path) -> None:
    assert {tool.name for tool in tools_in(judge_from(tmp_path).tools)} | {"sandbox_probe"} | SWITCHED_ON == set(KINDS)


def test_a_tool_nobody_listed_might_do_anything() -> None:
    (reach,) = reach_of([Look()])
    assert (reach.kinds, reach.opaque) == (frozenset(EFFECT_KINDS), True)


def test_no_everyday_call_does_what_its_tool_never_does(tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    for placed in everyday_calls():
        try:
            effects = judge.action(asked_of(placed.call, "ann")).effects
        except InvalidArgumentsError:
            continue
        kinds = {kind for kind in EFFECT_KINDS if getattr(effects, kind)}
        assert kinds <= KINDS[placed.call.tool], placed.call
