from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import Start
from akili_cli.bootstrap.ground import Ground, open_ground
from akili_cli.bootstrap.prove import APART, MISSING, OK, Cell, Entrance, RuleProof, prove
from akili_cli.bootstrap.rulings import Asked
from akili_cli.config.paths import open_workspace
from akili_cli.domain.calls import Source, StepResult
from tests.fakes.policies import BASE, loaded_from

POLICY = (
    BASE
    + """\
policies:
  rules:
    - {id: pushes, match: {commands: [git push]}, verdict: deny, because: x}
    - {id: prompt, match: {sources: [repl], writes: [/srv/app]}, verdict: deny, because: x}
    - {id: grave, match: {roles: [operator], min_risk: critical}, verdict: deny, because: x}
    - {id: night, match: {commands: [reboot], hours: {days: [sun], from: "03:00", to: "04:00", timezone: UTC}},
       verdict: deny, because: x}
"""
)


async def straight(ground: Ground, asked: Asked) -> StepResult | None:
    return await ground.app.pipeline.run(asked.call(), asked.run())


async def careless(ground: Ground, asked: Asked) -> StepResult | None:
    """An entry point that forgets who asks and how."""
    return await ground.app.pipeline.run(asked.call(), replace(asked, user="ann", read_only=False).run())


async def lost(_ground: Ground, _asked: Asked) -> StepResult | None:
    return None


WHOLE = Entrance(
    name="whole",
    source=Source.CLI,
    carries=frozenset({"read_only", "autonomous", "untrusted", "skill"}),
    send=straight,
)


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    loaded = loaded_from(tmp_path, POLICY)
    start = Start(env=dict(os.environ), cwd=tmp_path)
    async with open_ground(start, loaded, open_workspace(os.environ)) as opened:
        yield opened


async def cells(ground: Ground, entrance: Entrance) -> dict[str, Cell]:
    return {proof.rule.id: proof.cells[entrance.name] for proof in await prove(ground, [entrance])}


async def test_every_rule_is_seen_from_a_sound_entry_point(ground: Ground) -> None:
    found = await cells(ground, WHOLE)
    apart = {name: cell.note for name, cell in found.items() if cell.state == APART}
    assert not [name for name, cell in found.items() if cell.state == MISSING and name != "prompt"]
    assert found["night"].state == found["grave"].state == found["pushes"].state == OK
    assert apart["autonomous"] == "no role has the permission autonomous"
    assert found["prompt"].note == "no entry point can show it"
    assert ground.clock.shift_s == 0


async def test_a_rule_on_one_source_is_seen_from_there(ground: Ground) -> None:
    both = [WHOLE, replace(WHOLE, name="prompt", source=Source.REPL)]
    proofs = {proof.rule.id: proof for proof in await prove(ground, both)}
    assert proofs["prompt"].cells == {"whole": Cell(APART, "only from repl"), "prompt": Cell(OK)}
    assert all(proof.holds for proof in proofs.values())


async def test_an_entry_point_that_forgets_the_mode_is_found_out(ground: Ground) -> None:
    found = await cells(ground, replace(WHOLE, send=careless))
    assert found["read-only-mode"].state == MISSING
    assert found["role:viewer/not-permitted"].state == MISSING
    assert found["pushes"].state == OK


async def test_an_entry_point_that_cannot_bring_a_circumstance_is_left_out_of_account(ground: Ground) -> None:
    proofs = await prove(ground, [WHOLE, replace(WHOLE, name="bare", carries=frozenset())])
    found = {proof.rule.id: proof.cells["bare"] for proof in proofs}
    assert found["read-only-mode"] == Cell(APART, "needs read_only, which cannot come in here")
    assert found["grave"] == Cell(APART, "needs untrusted, which cannot come in here")


async def test_a_call_that_is_lost_on_the_way_is_missing(ground: Ground) -> None:
    found = await cells(ground, replace(WHOLE, send=lost))
    assert found["pushes"] == Cell(MISSING, "shell_exec: the call never came to a decision")


async def test_a_rule_that_is_not_enforced_is_missing(ground: Ground) -> None:
    rules = ground.app.pipeline.rules.without({"pushes"})
    ground.app.pipeline = replace(ground.app.pipeline, rules=rules)
    found = await cells(ground, WHOLE)
    assert [name for name, cell in found.items() if cell.state == MISSING] == ["pushes", "prompt"]
    assert found["pushes"].note == "shell_exec: the decision does not name the rule"


def test_a_row_holds_while_nothing_is_missing(ground: Ground) -> None:
    rule = ground.judge.rules.rules[0]
    assert RuleProof(rule, {"a": Cell(OK), "b": Cell(APART)}).holds
    assert not RuleProof(rule, {"a": Cell(OK), "b": Cell(MISSING)}).holds
