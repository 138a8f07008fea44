from __future__ import annotations

import pytest

from tests.fakes.held import put_runbook
from tests.fakes.http_app import Gateway

READS = """\
---
name: Look
agent_role: executor
category: tests
description: reads a file
tools_required: [file_read]
risk_level: low
default_budget: 1
inputs:
  file: {type: string, required: true, help: which}
---

# Look

## Procedure

```yaml akili
id: read
title: read it
tool: file_read
with: {path: "${inputs.file}"}
on_fail: stop
```
"""


@pytest.fixture
def look(gateway: Gateway) -> str:
    folder = gateway.app.state.workspace.runbooks_dir
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "look.md").write_text(READS)
    return "look"


async def test_runbooks_are_listed_and_shown(gateway: Gateway, look: str) -> None:
    ann = gateway.client_of("ann")
    (line,) = [one for one in (await ann.get("/v1/runbooks")).json() if one["name"] == look]
    assert line == {
        "name": "look",
        "category": "tests",
        "role": "executor",
        "risk": "low",
        "steps": 1,
        "description": "reads a file",
    }
    told = (await ann.get(f"/v1/runbooks/{look}")).json()
    assert told["front_matter"]["inputs"]["file"]["required"] is True
    assert "## Procedure" in told["body"]
    assert (await ann.get("/v1/runbooks/nosuch")).status_code == 404


async def test_a_runbook_is_played_as_a_run_of_the_caller(gateway: Gateway, look: str) -> None:
    file = gateway.app.state.start.cwd / "x.txt"
    file.write_text("all well")
    ann = gateway.client_of("ann")
    answer = await ann.post(f"/v1/runbooks/{look}/run?wait=true", json={"inputs": {"file": str(file)}})
    told = answer.json()
    assert (answer.status_code, told["status"]) == (200, "ok"), told
    assert [step["tool"] for step in told["run"]["steps"]] == ["file_read"]
    run = (await ann.get(f"/v1/runs/{told['run_id']}")).json()
    assert (run["user_id"], run["source"], run["conversation_id"]) == ("ann", "http", None)
    assert (await gateway.client_of("ben").get(f"/v1/runs/{told['run_id']}")).status_code == 404


async def test_without_waiting_the_run_is_named_at_once(gateway: Gateway, look: str) -> None:
    answer = await gateway.client_of("ann").post(f"/v1/runbooks/{look}/run", json={"inputs": {"file": "/nowhere"}})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert answer.headers["Location"] == f"/v1/runs/{answer.json()['run_id']}"
    async for _ in gateway.desk.live.follow(answer.json()["run_id"]):
        pass


WRONG: list[dict[str, object]] = [
    {},
    {"inputs": {}},
    {"inputs": {"file": "/x", "more": 1}},
    {"inputs": {"file": ["/x"]}},
    {"inputs": {"file": "-rf"}},
    {"inputs": {"file": "/x"}, "autonomous": True},
]


async def test_inputs_that_do_not_fit_begin_nothing(gateway: Gateway, look: str) -> None:
    ann = gateway.client_of("ann")
    for body in WRONG:
        assert (await ann.post(f"/v1/runbooks/{look}/run", json=body)).status_code == 400, body
    assert (await ann.get("/v1/runs")).json() == []


async def test_what_a_viewer_plays_is_refused_by_policy_and_says_so(gateway: Gateway) -> None:
    name = put_runbook(gateway)
    answer = await gateway.client_of("vic").post(f"/v1/runbooks/{name}/run?wait=true", json={"inputs": {"text": "x"}})
    assert (answer.status_code, answer.json()["status"]) == (200, "denied")
