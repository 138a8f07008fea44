from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from akili_cli.adapters.net.gateway import BrokenStreamError, Gateway
from akili_cli.cli import asking_gateway
from akili_cli.cli.asking_gateway import ask_gateway
from akili_cli.cli.question import Output, Question
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import AkiliError, ConflictError, NotFoundError, RefusedError
from tests.fakes.clock import FakeClock
from tests.fakes.gateway_server import (
    CARD,
    RUN,
    STARTED,
    GatewayServer,
    Played,
    answer,
    done,
    frame,
    gateway_server,
    started,
    stream,
    text,
)

HELD = frame(3, "approval_required", {"event": "approval.requested", **CARD, "approval_id": CARD["id"], "action": "x"})
INTENT = {"event": "tool.intent", "call_id": "c", "tool": "look", "arguments": {"path": "/x"}}
RESULT = {"call_id": "c", "tool": "look", "arguments": {"path": "/x"}, "status": "failed", "text": "it broke"}
NO_STREAM = answer({"error": "streaming is off here", "code": "not_found", "hint": ""}, 404)


async def asked(
    answers: Sequence[Played] | Mapping[str, Played], **question: Any
) -> tuple[Status, list[tuple[str, str, Any]]]:
    async with gateway_server(answers) as server:
        status = await ask_gateway(Question(**{"message": "m", **question}), gateway(server))
        sent = [(one.method, one.path, one.json if one.body else None) for one in server.requests]
    return status, sent


def gateway(server: GatewayServer) -> Gateway:
    return Gateway(server.url, "key", clock=FakeClock())


async def test_an_answer_looks_as_it_does_here(capsys: pytest.CaptureFixture[str]) -> None:
    tools = [frame(2, "tool_start", INTENT), frame(3, "tool_result", {"event": "tool.result", **RESULT})]
    status, sent = await asked([stream(started(), *tools, text(4, "all well"), done(5))])
    assert status is Status.OK
    out, err = capsys.readouterr()
    assert out == "all well\n"
    assert err == (
        "-> look /x\n   failed: it broke\n[correlation_id=00112233aabbccdd conversation_id=c-1 tokens=7 cost=$0.0000]\n"
    )
    assert sent == [("POST", "/v1/query/stream", {"message": "m", "timeout_seconds": 300.0})]


async def test_every_flag_travels() -> None:
    _, sent = await asked(
        [stream(started(), done(2))],
        conversation_id="c-1",
        attachments=(("stdin", "a"), ("file /" + "x" * 300, "b")),
        autonomous=True,
        read_only=True,
        plan=True,
        max_cost_usd=0.5,
        max_steps=3,
        timeout_s=7.0,
    )
    body = sent[0][2]
    long = body["attachments"][1].pop("label")
    assert (len(long), long[:5]) == (200, "...xx")
    assert body == {
        "message": "m",
        "conversation_id": "c-1",
        "attachments": [{"label": "stdin", "text": "a"}, {"text": "b"}],
        "autonomous": True,
        "read_only": True,
        "plan": True,
        "max_cost_usd": 0.5,
        "max_steps": 3,
        "timeout_seconds": 7.0,
    }


async def test_the_latest_conversation_is_asked_for() -> None:
    routes = {
        "GET /v1/conversations?limit=1": answer([{"id": "c-9"}]),
        "POST /v1/query/stream": stream(started(), done(2)),
    }
    _, sent = await asked(routes, go_on=True)
    assert sent[1][2]["conversation_id"] == "c-9"
    with pytest.raises(NotFoundError, match="no conversation to go on with"):
        await asked([answer([])], go_on=True)


async def test_text_streams_and_is_not_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    await asked([stream(started(), text(2, "all "), text(3, "well\x1b"), done(4, answer="all well\x1b"))], stream=True)
    assert capsys.readouterr().out == "all well\\x1b\n"


async def test_json_is_the_report_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    await asked([stream(started(), text(2, "x"), done(3))], output="json")
    out, err = capsys.readouterr()
    assert json.loads(out) == RUN
    assert err == ""


async def test_jsonl_is_line_for_line_what_it_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    gap = frame(None, "gap", {"content": "gone"})
    result = frame(3, "tool_result", {"event": "tool.result", "success": False, **RESULT})
    unknown = frame(5, "later", {"event": "of.a.later.version", "x": 1})
    await asked([stream(started(), gap, text(2, "hi"), result, HELD[:-1], b"\n", unknown, done(6))], output="jsonl")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [
        {"event": "run.started", **STARTED},
        {"event": "text", "text": "hi"},
        {"event": "tool.result", **RESULT},
    ]
    assert lines[3] == {"event": "approval.requested", **CARD}
    assert (lines[4]["event"], lines[4]["status"]) == ("run.finished", "approval_required")


@pytest.mark.parametrize("status", ["failed", "denied", "budget_exceeded", "timeout", "unavailable", "interrupted"])
async def test_a_run_ends_as_it_ended_there(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    failed = frame(1, "error", {"event": "run.finished", "content": "it broke"})
    ended, _ = await asked([stream(started(), failed, done(2, status=status, answer="", error="it broke"))])
    assert ended == status
    assert f"{status}: it broke" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["text", "json"])
async def test_what_the_stream_called_an_error_never_ends_well(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = frame(1, "error", {"event": "run.finished", "content": "it broke"})
    ended, _ = await asked([stream(started(), failed, done(2))], output=output)
    assert ended is Status.FAILED
    out, err = capsys.readouterr()
    assert "it broke" in (out if output == "json" else err)


@pytest.mark.parametrize("run", [None, {}, {"schema": "akili.run/1", "status": "fine"}, [1]], ids=str)
async def test_an_end_without_a_report_is_an_error(run: object) -> None:
    end = frame(2, "done", {"event": "run.finished", "run": run})
    with pytest.raises(AkiliError, match="without its report"):
        await asked([stream(started(), end)])


@pytest.mark.parametrize("output", ["text", "json"])
async def test_without_a_terminal_a_held_call_ends_the_command_and_not_the_run(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, sent = await asked([stream(started(), HELD)], output=output)
    assert ended is Status.APPROVAL_REQUIRED
    assert len(sent) == 1
    out, err = capsys.readouterr()
    if output == "json":
        told = json.loads(out)
        assert (told["status"], told["approvals"], told["run_id"]) == ("approval_required", [CARD], "r-1")
        assert told.keys() == RUN.keys()
    else:
        assert "waiting for approval 1a2b3c4d (high): shell_exec df -h" in err
        assert "akili approvals show 1a2b3c4d; akili approvals approve 1a2b3c4d" in err
        assert "goes on at the gateway" in err


async def test_at_a_terminal_a_held_call_is_ruled_on_and_the_run_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    ruled: list[object] = []

    async def rule(_gateway: Gateway, card: Mapping[str, object]) -> None:
        ruled.append(card["id"])

    monkeypatch.setattr("akili_cli.cli.prompt.at_terminal", lambda: True)
    monkeypatch.setattr("akili_cli.cli.ruling.rule_at_terminal", rule)
    ended, _ = await asked([stream(started(), HELD, text(4, "done"), done(5))])
    assert (ended, ruled) == (Status.OK, [CARD["id"]])


async def test_a_gateway_without_streams_is_asked_for_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    routes = {"POST /v1/query/stream": NO_STREAM, "POST /v1/query": answer({"message": "all well", "run": RUN})}
    ended, sent = await asked(routes, stream=True)
    assert ended is Status.OK
    assert sent[0][2] == sent[1][2]
    out, err = capsys.readouterr()
    assert out == "all well\n"
    assert "does not stream" in err


async def test_the_report_of_a_run_that_failed_is_shown_whatever_the_status() -> None:
    failed = answer({"error": "late", "code": "timeout", "run": {**RUN, "status": "timeout"}}, 504)
    ended, _ = await asked({"POST /v1/query/stream": NO_STREAM, "POST /v1/query": failed})
    assert ended is Status.TIMEOUT


async def test_without_streams_a_held_call_ends_the_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    held = answer({"approval_id": CARD["id"], "approvals": [CARD], **STARTED}, 202)
    ended, _ = await asked({"POST /v1/query/stream": NO_STREAM, "POST /v1/query": held})
    assert ended is Status.APPROVAL_REQUIRED
    assert "akili approvals approve 1a2b3c4d" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "kind"), [(403, RefusedError), (409, ConflictError), (404, NotFoundError), (500, AkiliError)]
)
async def test_a_refused_question_is_the_error_it_was_answered_with(status: int, kind: type[AkiliError]) -> None:
    no = answer({"error": "not so", "code": "x", "hint": ""}, status)
    for first in (no, NO_STREAM):
        with pytest.raises(kind, match="not so"):
            await asked({"POST /v1/query/stream": first, "POST /v1/query": no})


async def test_a_broken_stream_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokenStreamError):
        await asked([stream(started(), text(2, "x"), whole=False), b""])


async def interrupted(routes: Mapping[str, Played], output: Output = "json") -> list[str]:
    """Cancel once the first stream has begun, and give what was asked afterwards."""
    async with gateway_server(routes) as server:
        asking = asyncio.ensure_future(ask_gateway(Question(message="m", output=output), gateway(server)))
        while not server.streaming:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return [f"{one.method} {one.path}" for one in server.requests[1:]]


async def test_an_interrupt_asks_the_gateway_to_stop_and_shows_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    routes: dict[str, Played] = {
        "POST /v1/query/stream": GatewayServer.open(stream(started(), whole=False)),
        "POST /v1/runs/r-1/stop": answer({}, 202),
        "GET /v1/runs/r-1/events": stream(done(2, status="interrupted", error="stopped by ada")),
    }
    assert await interrupted(routes) == ["POST /v1/runs/r-1/stop", "GET /v1/runs/r-1/events"]
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["error"]) == ("interrupted", "stopped by ada")


@pytest.mark.parametrize("answered", [answer({"error": "no"}, 500), None], ids=["refused", "silent"])
async def test_an_interrupt_that_the_gateway_does_not_take_is_said(
    answered: Played, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_gateway, "STOP_S", 0.1)
    begun = GatewayServer.open(stream(started(), whole=False))
    await interrupted({"POST /v1/query/stream": begun, "POST /v1/runs/r-1/stop": answered})
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "interrupted"
    assert "did not say that it" in err


async def test_an_interrupt_before_the_run_began_tells_a_program_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert await interrupted({"POST /v1/query/stream": GatewayServer.open(stream(whole=False))}) == []
    assert json.loads(capsys.readouterr().out)["error"] == "interrupted before the run began"


@pytest.mark.parametrize("stopped", [stream(started(), whole=False), stream(whole=False)], ids=["begun", "not begun"])
async def test_a_gateway_that_never_ends_a_run_is_left_in_time(stopped: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_gateway, "ANSWER_MARGIN_S", 0.1)
    with pytest.raises(AkiliError, match="did not end the run within"):
        await asked([GatewayServer.open(stopped)], timeout_s=0.1)
