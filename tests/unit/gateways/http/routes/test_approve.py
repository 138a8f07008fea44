from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import ConflictError
from tests.fakes.held import TEAM, grave, held, place_of, planned, put_runbook, writes
from tests.fakes.http_app import Gateway, open_gateway


@pytest.fixture
async def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setattr("akili_cli.core.approvals.queue.RULING_POLL_S", 0.01)
    monkeypatch.setattr("akili_cli.gateways.http.rulings.LOOK_S", 0.01)
    async with open_gateway(tmp_path, TEAM) as opened:
        yield opened


async def rule(team: Gateway, user: str, approval: str, decision: str = "approve", **more: Any) -> httpx.Response:
    return await team.client_of(user).post("/v1/approve", json={"approval_id": approval, "decision": decision, **more})


async def test_an_approved_call_runs_once_and_is_answered_with_what_came_of_it(team: Gateway) -> None:
    approval = await held(team)
    answer = await rule(team, "ben", approval)
    told = answer.json()
    assert (answer.status_code, told["approval_id"], told["status"], told["success"]) == (
        200,
        approval,
        "approved",
        True,
    )
    assert "note.txt" in told["output"]
    assert told["metadata"]["audit_id"]
    assert place_of(team).read_text() == "held"


async def test_a_denied_call_does_not_run(team: Gateway) -> None:
    approval = await held(team)
    answer = await rule(team, "ben", approval, "deny", feedback="not today")
    assert (answer.status_code, answer.json()["status"]) == (200, "denied")
    assert not place_of(team).exists()
    assert (await team.app.approvals.get(approval)).feedback == "not today"


async def test_a_tool_that_fails_is_an_error_that_says_so(team: Gateway) -> None:
    answer = await rule(team, "ben", await held(team, call=grave("kill 4000000")))
    told = answer.json()
    assert (answer.status_code, told["success"], told["status"]) == (500, False, "approved")
    assert told["code"] == "tool_failed"
    assert told["metadata"]["exit_code"] == 1


async def test_what_differs_by_now_is_refused_and_does_not_run(team: Gateway) -> None:
    approval = await held(team)
    place_of(team).write_text("theirs, meanwhile")
    answer = await rule(team, "ben", approval)
    assert (answer.status_code, answer.json()["code"], answer.json()["success"]) == (403, "policy_denied", False)
    assert place_of(team).read_text() == "theirs, meanwhile"


async def test_who_comes_second_comes_too_late(team: Gateway) -> None:
    approval = await held(team)
    assert (await rule(team, "ben", approval, "deny")).status_code == 200
    for decision in ("approve", "deny"):
        answer = await rule(team, "ben", approval, decision)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_an_approval_that_has_expired_is_gone(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, {**TEAM, "approval.ttl_seconds": 1}) as team:
        approval = await held(team)
        await team.app.state.db.write(lambda conn: conn.execute("UPDATE approvals SET expires_at = 1", {}))
        answer = await rule(team, "ben", approval)
        assert (answer.status_code, answer.json()["code"]) == (410, "expired")


async def test_what_is_not_there_is_not_found_nor_is_a_beginning_of_an_id(team: Gateway) -> None:
    approval = await held(team)
    for wanted in ("0" * 32, "0000", "", "%", "A" * 32, "x" * 64, approval[:8], approval.upper() + "0"):
        assert (await rule(team, "ben", wanted)).status_code == 404, wanted


WRONG: list[tuple[dict[str, object], str]] = [
    ({"approval_id": "0" * 32}, "decision"),
    ({"decision": "approve"}, "approval_id"),
    ({"approval_id": "0" * 32, "decision": "yes"}, "decision"),
    ({"approval_id": "0" * 32, "decision": "Approve"}, "decision"),
    ({"approval_id": 7, "decision": "approve"}, "approval_id"),
    ({"approval_id": "0" * 32, "decision": "approve", "force": True}, "force"),
    ({"approval_id": "0" * 32, "decision": "deny", "feedback": "x" * 2001}, "feedback"),
]


async def test_a_body_that_does_not_fit_is_refused_with_its_place(team: Gateway) -> None:
    for body, place in WRONG:
        answer = await team.client_of("ben").post("/v1/approve", json=body)
        assert (answer.status_code, answer.json()["fields"][0]["field"]) == (400, place)


async def test_arguments_do_not_go_with_a_denial(team: Gateway) -> None:
    approval = await held(team)
    answer = await rule(team, "ben", approval, "deny", arguments={"content": "x"})
    assert answer.status_code == 400
    assert str((await team.app.approvals.get(approval)).status) == "pending"


async def test_who_asked_may_not_approve_what_is_grave(team: Gateway) -> None:
    approval = await held(team, "ann", grave())
    answer = await rule(team, "ann", approval)
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
    assert "rule approval.four_eyes" in answer.json()["error"]
    assert (await rule(team, "ann", approval, "deny")).status_code == 200


async def test_an_admin_without_the_permission_sees_and_may_not_rule(team: Gateway) -> None:
    approval = await held(team)
    for decision in ("approve", "deny"):
        answer = await rule(team, "root", approval, decision)
        assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
        assert "rule approval.permission" in answer.json()["error"]
    assert str((await team.app.approvals.get(approval)).status) == "pending"


async def test_who_may_not_rule_does_not_know_of_it(team: Gateway) -> None:
    approval = await held(team)
    unknown = (await rule(team, "vic", "0" * 32)).json()
    answer = await rule(team, "vic", approval)
    assert answer.status_code == 404
    assert answer.json()["error"] == unknown["error"].replace("0" * 32, approval)


async def test_a_role_that_does_not_reach_the_risk_does_not_rule(team: Gateway) -> None:
    approval = await held(team, "ben", grave())
    answer = await rule(team, "ann", approval)
    assert answer.status_code == 404
    answer = await rule(team, "ben", approval)
    assert answer.status_code == 403


async def test_of_three_who_rule_at_once_one_wins(team: Gateway) -> None:
    approval = await held(team)
    terminal = team.app.pipeline.refuse(approval, Principal("chief", Source.CLI))
    answers = await asyncio.gather(
        rule(team, "ben", approval), rule(team, "ann", approval, "deny"), terminal, return_exceptions=True
    )
    won = [one for one in answers if not isinstance(one, ConflictError) and not _conflicts(one)]
    assert len(won) == 1, answers


def _conflicts(one: object) -> bool:
    return isinstance(one, httpx.Response) and one.status_code == 409


async def test_a_changed_call_runs_as_whoever_changed_it(team: Gateway) -> None:
    approval = await held(team)
    answer = await rule(team, "ben", approval, arguments={"content": "changed"})
    told = answer.json()
    assert (answer.status_code, told["success"]) == (200, True), told
    assert place_of(team).read_text() == "changed"
    old = await team.app.approvals.get(approval)
    assert (str(old.status), old.feedback) == ("denied", "changed by hand")
    records = await team.desk.audit.tail(20, tool="file_write", result="success")
    assert [one.record.user for one in records] == ["ben"]


async def test_one_more_must_approve_what_needs_two(tmp_path: Path) -> None:
    told = {**TEAM, "approval.critical_quorum": 2}
    told["security.user_roles"] = {"root": "lead", "vic": "viewer", "ben": "lead"}
    async with open_gateway(tmp_path, told) as team:
        call = grave()
        approval = await held(team, "ann", call, untrusted=("file /x",))
        assert (await team.app.approvals.get(approval)).risk == "critical"
        answer = await rule(team, "ben", approval)
        assert (answer.status_code, answer.json()["status"], answer.json()["success"]) == (202, "pending", None)
        assert (await rule(team, "ben", approval)).status_code == 202


async def test_a_run_that_waits_goes_on_by_itself_and_the_answer_says_what_came_of_it(team: Gateway) -> None:
    name = put_runbook(team)
    begun = await team.client_of("ann").post(f"/v1/runbooks/{name}/run?wait=true", json={"inputs": {"text": "by run"}})
    run_id = begun.json()["run_id"]
    assert (begun.status_code, begun.json()["status"]) == (202, "running")
    (card,) = (await team.client_of("ann").get("/v1/approvals?status=pending")).json()
    assert (card["run_id"], card["waits"]) == (run_id, True)
    answer = await rule(team, "ben", card["id"])
    told = answer.json()
    assert (answer.status_code, told["status"], told["success"], told["run_id"]) == (200, "approved", True, run_id)
    assert "note.txt" in told["output"]
    assert place_of(team).read_text() == "by run"


async def test_a_run_that_waits_hears_of_a_denial(team: Gateway) -> None:
    name, ann = put_runbook(team), team.client_of("ann")
    begun = await ann.post(f"/v1/runbooks/{name}/run?wait=true", json={"inputs": {"text": "x"}})
    (card,) = (await ann.get("/v1/approvals?status=pending")).json()
    assert (await rule(team, "ben", card["id"], "deny", feedback="no")).status_code == 200
    async for _ in team.desk.live.follow(begun.json()["run_id"]):
        pass
    run = (await ann.get(f"/v1/runs/{begun.json()['run_id']}")).json()
    assert (run["status"], place_of(team).exists()) == ("denied", False)


async def test_ruling_by_the_path_does_the_same(team: Gateway) -> None:
    one, two = await held(team), await held(team, call=writes(team, "two"))
    ben = team.client_of("ben")
    assert (await ben.post(f"/v1/approvals/{one}/approve")).json()["success"] is True
    answer = await ben.post(f"/v1/approvals/{two}/deny", json={"feedback": "no"})
    assert (answer.status_code, answer.json()["status"]) == (200, "denied")
    assert (await ben.post(f"/v1/approvals/{two}/approve", json={"arguments": {"content": "x"}})).status_code == 409


async def test_a_step_of_a_plan_is_not_ruled_on_alone(team: Gateway) -> None:
    plan = await team.app.approvals.plans.get(await planned(team, "one"))
    approval = plan.steps[0].id
    for decision in ("approve", "deny"):
        answer = await rule(team, "ben", approval, decision)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "/v1/plans/plan-" in answer.json()["hint"]
