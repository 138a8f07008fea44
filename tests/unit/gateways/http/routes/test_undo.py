from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.domain.calls import Status
from tests.fakes.held import TEAM, place_of, run_of, writes
from tests.fakes.http_app import Gateway, open_gateway


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, TEAM) as opened:
        yield opened


async def changed(team: Gateway) -> str:
    """Let ben's call change the file; give the undo entry."""
    place_of(team).write_text("before")
    step = await team.app.pipeline.run(writes(team, "after"), run_of("ben"))
    assert step.status is Status.OK, step
    (entry,) = (await team.client_of("ben").get("/v1/undo")).json()
    return str(entry["id"])


async def test_a_change_of_ones_own_is_undone_once_through_the_pipeline(team: Gateway) -> None:
    entry, ben = await changed(team), team.client_of("ben")
    answer = await ben.post(f"/v1/undo/{entry}")
    told = answer.json()
    assert (answer.status_code, told["status"], told["entry"]) == (200, "ok", entry), told
    assert place_of(team).read_text() == "before"
    record = (await ben.get("/v1/audit?tool=file_restore&result=success")).json()[0]
    assert (record["source"], record["correlation_id"]) == ("http", answer.headers["X-Request-Id"])
    again = await ben.post(f"/v1/undo/{entry}")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("user", ["ann", "root"])
async def test_what_somebody_else_changed_is_not_there(team: Gateway, user: str) -> None:
    entry = await changed(team)
    assert (await team.client_of(user).get("/v1/undo")).json() == []
    for wanted in (entry, "0" * 16, entry[:4], "x"):
        assert (await team.client_of(user).post(f"/v1/undo/{wanted}")).status_code == 404
    assert place_of(team).read_text() == "after"


async def test_what_must_be_approved_first_waits(tmp_path: Path) -> None:
    told = {**TEAM, "security.roles": {**TEAM["security.roles"]}}
    lead = {**told["security.roles"]["lead"]}
    async with open_gateway(tmp_path, told) as team:
        entry = await changed(team)
    told["security.roles"]["lead"] = {**lead, "require_approval": ["write_files"]}
    async with open_gateway(tmp_path, told) as team:
        answer = await team.client_of("ben").post(f"/v1/undo/{entry}")
        assert (answer.status_code, answer.json()["status"]) == (202, "approval_required")
        assert place_of(team).read_text() == "after"
        ruled = await team.client_of("ben").post(f"/v1/approvals/{answer.json()['approval_id']}/approve")
        assert ruled.json()["success"] is True
        assert place_of(team).read_text() == "before"


async def test_what_policy_denies_is_refused(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, TEAM) as team:
        entry = await changed(team)
    told = {**TEAM, "security.user_roles": {"ben": "viewer"}}
    async with open_gateway(tmp_path, told) as team:
        answer = await team.client_of("ben").post(f"/v1/undo/{entry}")
        assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
        assert place_of(team).read_text() == "after"
