from __future__ import annotations

from typing import Any

import pytest

from akili_cli.core.agent.report import RunReport
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, FireStatus
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.gateways.http.routes.query import StreamDraft
from tests.fakes.http_app import Gateway, open_gateway
from tests.unit.features.queries.test_store import fire, put

QUESTION = {"message": "Is this host healthy?"}


async def test_a_runbook_answers_and_the_run_is_there_to_be_read(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    body = (await ann.post("/v1/query", json=QUESTION)).json()
    assert body["run"]["status"] == "ok"
    assert "tokens_used" not in body  # nothing was asked of a model
    assert (await ann.get(f"/v1/runs/{body['run_id']}")).json()["run"] == body["run"]


async def test_a_named_runbook_is_played_without_a_conversation(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    body = (await ann.post("/v1/query", json={**QUESTION, "runbook": "service-health-check"})).json()
    assert (body["conversation_id"], body["run"]["model"]) == (None, "service-health-check") or body["run"]["steps"]
    missing = await ann.post("/v1/query", json={**QUESTION, "runbook": "none"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert len((await ann.get("/v1/runs")).json()) == 1


async def test_a_stream_ends_with_done(gateway: Gateway) -> None:
    answer = await gateway.client_of("ann").post("/v1/query/stream", json={**QUESTION, "on_disconnect": "stop"})
    events = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert (events[0], events[-1]) == ("run_started", "done")


async def test_streaming_that_is_off_is_not_found(tmp_path: Any) -> None:
    async with open_gateway(tmp_path, {"gateways.http.sse": False}) as gateway:
        answer = await gateway.client_of("ann").post("/v1/query/stream", json=QUESTION)
        assert answer.status_code == 404
        assert "gateways.http.sse" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("status", "failure", "http", "code"),
    [
        (Status.DENIED, "", 403, "policy_denied"),
        (Status.BUDGET_EXCEEDED, "", 402, "budget_exceeded"),
        (Status.TIMEOUT, "", 504, "timeout"),
        (Status.INTERRUPTED, "", 409, "interrupted"),
        (Status.FAILED, "model", 502, "model"),
        (Status.FAILED, "", 500, "run_failed"),
    ],
)
async def test_how_a_run_failed_is_a_status_with_the_run_beside_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, status: Status, failure: str, http: int, code: str
) -> None:
    from akili_cli.gateways.http import watching

    report = RunReport(status, "", "c" * 16, "a", error="it broke").as_dict()
    db = gateway.app.state.db

    async def ended(*_: object) -> object:
        def work(conn: Any) -> None:
            put(conn, "a", "ann", 0.0)
            details = {"report": report, "failure": failure}
            fires.end(conn, fire("a"), Ended(status=FireStatus.FAILED, details=details), 1.0)

        await db.write(work)
        return await gateway.desk.queries.get("a", Principal("ann", Source.HTTP)), []

    monkeypatch.setattr(watching, "answer_or_approval", ended)
    answer = await gateway.client_of("ann").post("/v1/query", json=QUESTION)
    body = answer.json()
    assert (answer.status_code, body["code"], body["error"], body["run_id"]) == (http, code, "it broke", "a")
    assert body["run"] == report


async def test_a_gateway_that_ends_says_where_the_answer_will_be(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from akili_cli.gateways.http import watching

    async def left(_desk: object, query: object, _by: object) -> object:
        return query, []

    monkeypatch.setattr(watching, "answer_or_approval", left)
    answer = await gateway.client_of("ann").post("/v1/query", json=QUESTION)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["hint"].startswith("GET /v1/runs/")


def test_a_streamed_question_is_the_question_without_the_wish() -> None:
    asked = StreamDraft.model_validate({**QUESTION, "on_disconnect": "stop", "max_steps": 3})
    assert asked.question().model_dump()["max_steps"] == 3
    assert not hasattr(asked.question(), "on_disconnect")
