from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.held import TEAM, place_of, planned
from tests.fakes.http_app import Gateway, open_gateway


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, TEAM) as opened:
        yield opened


async def test_a_plan_is_shown_whole_to_who_made_it_and_who_may_rule(team: Gateway) -> None:
    plan = await planned(team, "one", "two")
    for user in ("ann", "ben", "root"):
        told = (await team.client_of(user).get(f"/v1/plans/{plan}")).json()
        assert (told["id"], told["user"], told["status"]) == (plan, "ann", "pending")
        assert [step["arguments"]["content"] for step in told["steps"]] == ["one", "two"]
    for user, wanted in (("vic", plan), ("ann", "plan-000000000000"), ("ann", "x")):
        assert (await team.client_of(user).get(f"/v1/plans/{wanted}")).status_code == 404


async def test_a_plan_that_is_applied_runs_its_steps_in_order_once(team: Gateway) -> None:
    plan = await planned(team, "one")
    answer = await team.client_of("ben").post(f"/v1/plans/{plan}/apply")
    told = answer.json()
    assert (answer.status_code, told["success"]) == (200, True), told
    assert [(step["step"], step["status"]) for step in told["steps"]] == [(1, "ok")]
    assert place_of(team).read_text() == "one"
    again = await team.client_of("ben").post(f"/v1/plans/{plan}/apply")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_only_the_steps_that_are_chosen_run(team: Gateway) -> None:
    plan = await planned(team, "one", "two")
    answer = await team.client_of("ben").post(f"/v1/plans/{plan}/apply", json={"only": [2]})
    assert [step["step"] for step in answer.json()["steps"]] == [2]
    assert place_of(team).read_text() == "two"


async def test_steps_that_are_none_are_refused_and_nothing_runs(team: Gateway) -> None:
    plan = await planned(team, "one", "two")
    for body in ({"only": [3]}, {"only": [0]}, {"only": ["1"]}, {"only": 1}, {"all": True}):
        answer = await team.client_of("ben").post(f"/v1/plans/{plan}/apply", json=body)
        assert answer.status_code == 400, answer.text
    assert not place_of(team).exists()


async def test_who_may_not_rule_neither_applies_nor_denies(team: Gateway) -> None:
    plan = await planned(team, "one")
    for verb in ("apply", "deny"):
        seen = await team.client_of("root").post(f"/v1/plans/{plan}/{verb}")
        assert (seen.status_code, seen.json()["code"]) == (403, "policy_denied")
        assert (await team.client_of("vic").post(f"/v1/plans/{plan}/{verb}")).status_code == 404
    assert not place_of(team).exists()


async def test_a_plan_that_is_denied_does_not_run(team: Gateway) -> None:
    plan = await planned(team, "one")
    told = (await team.client_of("ann").post(f"/v1/plans/{plan}/deny")).json()
    assert (told["status"], told["resolved_by"]) == ("denied", "ann")
    assert (await team.client_of("ben").post(f"/v1/plans/{plan}/apply")).status_code == 409
    assert not place_of(team).exists()


async def test_a_plan_whose_file_somebody_changed_meanwhile_does_not_run(team: Gateway) -> None:
    plan = await planned(team, "one")
    place_of(team).write_text("theirs, meanwhile")
    answer = await team.client_of("ben").post(f"/v1/plans/{plan}/apply")
    assert answer.status_code == 409, answer.text
    assert place_of(team).read_text() == "theirs, meanwhile"
