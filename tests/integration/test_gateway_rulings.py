"""Rulings over HTTP, against a gateway with everything real but the model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import ConflictError
from tests.fakes.gateway import gateway
from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import ROLE, Akili

WRITE = Call("file_write", {"path": "made.txt", "content": "x"})
SECURITY = {
    "roles": {"operator": {**ROLE, "permissions": [*ROLE["permissions"], "approve"]}, "admin": ROLE},
    "user_roles": {"root": "admin"},
    "default_role": "operator",
}


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    return Akili(tmp_path)


async def test_of_three_who_rule_at_once_one_wins_and_the_run_goes_on_with_it(akili: Akili) -> None:
    with ModelServer([Reply(tool_calls=[WRITE]), Reply("it is done")]) as model:
        async with (
            gateway(akili, model.url, security=SECURITY) as node,
            node.client("ann") as ann,
            node.client("ben") as ben,
        ):
            asked = await ann.post("/v1/query", json={"message": "go"})
            told = asked.json()
            assert asked.status_code == 202, asked.text
            body = {"approval_id": told["approval_id"], "decision": "approve"}
            terminal = node.app.pipeline.resume(told["approval_id"], Principal("chief", Source.CLI))
            answers = await asyncio.gather(
                ann.post("/v1/approve", json=body), ben.post("/v1/approve", json=body), terminal, return_exceptions=True
            )
            over_http = [one.status_code for one in answers[:2] if not isinstance(one, BaseException | tuple)]
            lost = over_http.count(409) + isinstance(answers[2], ConflictError)
            assert (lost, over_http.count(200) + (not isinstance(answers[2], ConflictError))) == (2, 1), answers
            async with ann.stream("GET", f"/v1/runs/{told['run_id']}/events") as events:
                async for _ in events.aiter_lines():
                    pass
            run = (await ann.get(f"/v1/runs/{told['run_id']}")).json()
            assert (run["status"], run["run"]["answer"]) == ("ok", "it is done")
            assert (akili.work / "made.txt").read_text() == "x"
            shown = (await ann.get(f"/v1/conversations/{told['conversation_id']}")).json()
            results = [block for one in shown["messages"] for block in one["blocks"] if block["type"] == "tool_result"]
            assert [block["is_error"] for block in results] == [False]


async def test_the_answer_to_a_ruling_says_what_the_run_made_of_it(akili: Akili) -> None:
    with ModelServer([Reply(tool_calls=[WRITE]), Reply("it is done")]) as model:
        async with gateway(akili, model.url, security=SECURITY) as node, node.client("ann") as ann:
            approval = (await ann.post("/v1/query", json={"message": "go"})).json()["approval_id"]
            ruled = await ann.post("/v1/approve", json={"approval_id": approval, "decision": "approve"})
            assert (ruled.status_code, ruled.json()["success"]) == (200, True)
            assert "made.txt" in ruled.json()["output"]
