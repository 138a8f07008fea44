from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.http_app import Gateway, open_gateway


@pytest.fixture
async def tasks(tmp_path: Path) -> AsyncIterator[Gateway]:
    folder = tmp_path / "tasks"
    folder.mkdir(mode=0o700)
    for user in ("ann", "ben"):
        head = f'---\nname: {user}s\nuser_id: {user}\ndefault_cron: "0 3 * * *"\n---\n## Quick\n'
        (folder / f"{user}.md").write_text(f"{head}### {user}-task\nlook around\n")
    told = {"heartbeat_tasks.enabled": True, "heartbeat_tasks.tasks_dirs": (str(folder),)}
    async with open_gateway(tmp_path, told) as opened:
        yield opened


async def test_somebody_sees_what_runs_as_them_and_an_admin_all(tasks: Gateway) -> None:
    seen = {}
    for user in ("ann", "ben", "vic", "root"):
        seen[user] = {one["name"] for one in (await tasks.client_of(user).get("/v1/heartbeats")).json()}
    assert seen == {"ann": {"ann-task"}, "ben": {"ben-task"}, "vic": set(), "root": {"ann-task", "ben-task"}}


async def test_somebody_elses_task_is_not_there(tasks: Gateway) -> None:
    for path in ("ben-task", "ben-task/history", "nosuch", "nosuch/history"):
        assert (await tasks.client_of("ann").get(f"/v1/heartbeats/{path}")).status_code == 404, path
    told = (await tasks.client_of("ann").get("/v1/heartbeats/ann-task")).json()
    assert (told["group"], told["user_id"]) == ("anns", "ann")
    assert (await tasks.client_of("ann").get("/v1/heartbeats/ann-task/history")).json() == []


async def test_only_an_admin_runs_one_at_will(tasks: Gateway) -> None:
    answer = await tasks.client_of("ann").post("/v1/heartbeats/ann-task/run")
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
    begun = await tasks.client_of("root").post("/v1/heartbeats/ann-task/run")
    assert (begun.status_code, begun.json()["status"]) == (202, "running")
    assert (await tasks.client_of("root").post("/v1/heartbeats/nosuch/run")).status_code == 404


async def test_where_no_task_runs_none_is_run(gateway: Gateway) -> None:
    answer = await gateway.client_of("root").post("/v1/heartbeats/any/run")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
