"""Questions over HTTP, against a gateway with everything real but the model."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.serving import open_http
from akili_cli.bootstrap.ticking import open_ticking
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.events import Event
from akili_cli.features.queries.live import MAX_BYTES
from tests.fakes.gateway import KEYS, TOLD, SseFrame, api_keys, frames, gateway
from tests.fakes.model_server import Call, ModelServer, Reply
from tests.fakes.postgres_server import any_server, own_database
from tests.integration.akili import Akili, only
from tests.integration.test_postgres import Placed

WRITE = Call("file_write", {"path": "made.txt", "content": "x"})


def asked(message: str = "go", **more: Any) -> dict[str, Any]:
    return {"message": message, **more}


async def read(stream: AsyncIterator[SseFrame], until: Callable[[SseFrame], bool]) -> list[SseFrame]:
    found = []
    async for frame in stream:
        found.append(frame)
        if until(frame):
            break
    return found


async def settled(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run."""
    while True:
        found = (await client.get(f"/v1/runs/{run_id}")).json()
        if found["status"] != "running":
            return dict(found)
        await asyncio.sleep(0.02)


def is_done(frame: SseFrame) -> bool:
    return frame.event == "done"


async def test_an_answer_carries_its_ids_and_the_conversation_goes_on(akili: Akili) -> None:
    with ModelServer([Reply("first"), Reply("second")]) as model:
        async with gateway(akili, model.url) as node, node.client() as ann:
            first = (await ann.post("/v1/query", json=asked("remember 7"))).json()
            assert set(first) == {"message", "correlation_id", "conversation_id", "run_id", "tokens_used", "run"}
            assert (first["message"], first["tokens_used"], first["run"]["status"]) == ("first", 15, "ok")
            again = await ann.post("/v1/query", json=asked("which?", conversation_id=first["conversation_id"]))
            assert again.headers["x-request-id"] == again.json()["correlation_id"]
            assert again.json()["conversation_id"] == first["conversation_id"]
    said = [message["content"] for message in model.requests[1]["messages"] if message["role"] != "system"]
    assert said == ["remember 7", "first", "which?"]


async def test_what_does_not_fit_is_refused_with_its_field(akili: Akili) -> None:
    async with gateway(akili) as node, node.client() as ann, node.client("ben") as ben:
        for body, field in (
            ({"message": "  "}, "message"),
            ({}, "message"),
            ({"message": "x", "on_disconnect": "stop"}, "on_disconnect"),
            ({"message": "x", "max_steps": 0}, "max_steps"),
        ):
            answer = await ann.post("/v1/query", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
            assert field in {one["field"] for one in answer.json()["fields"]}
        assert (await ann.post("/v1/query", json=asked(conversation_id="no-uuid"))).status_code == 400
        theirs = await node.app.history.create("ben")  # type: ignore[union-attr]  # memory is on
        foreign = await ann.post("/v1/query", json=asked(conversation_id=theirs))
        assert (foreign.status_code, foreign.json()["code"]) == (403, "refused")
        assert (await ann.post("/v1/query", json=asked(runbook="no-such"))).status_code == 404
        mine = (await ben.post("/v1/query", json=asked("Is this host healthy?"))).json()
        for path in ("", "/events"):
            assert (await ann.get(f"/v1/runs/{mine['run_id']}{path}")).status_code == 404
        assert (await ann.get("/v1/runs")).json() == []
        assert (await ben.get("/v1/runs?status=open")).json() == []
        async with node.client("root") as root:
            assert only((await root.get("/v1/runs")).json())["id"] == mine["run_id"]


async def test_tokens_come_as_they_are_said_and_the_end_comes_last(akili: Akili) -> None:
    replies = [
        Reply(tool_calls=[Call("shell_exec", {"command": "uptime"})]),
        Reply(["one two three "] * 12, drip_s=0.03),
    ]
    with ModelServer(replies) as model:
        async with gateway(akili, model.url) as node, node.client() as ann:
            async with ann.stream("POST", "/v1/query/stream", json=asked()) as answer:
                assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
                stream = frames(answer)
                got = await read(stream, lambda frame: frame.event == "text")
                runs = (await ann.get("/v1/runs?status=open")).json()
                assert only(runs)["status"] == "running"  # it speaks while the model does
                got += await read(stream, is_done)
            run_id = only(runs)["id"]
            assert [frame.id for frame in got] == [str(n) for n in range(1, len(got) + 1)]
            assert all(frame.data["type"] == frame.event for frame in got)
            shown = [frame.event for frame in got if frame.event not in ("usage", "message", "notice")]
            assert shown[:3] == ["run_started", "tool_start", "tool_result"]
            assert set(shown[3:-1]) == {"text"}
            assert "".join(f.data["content"] for f in got if f.event == "text") == "one two three " * 12
            assert (got[-1].data["run_id"], got[-1].data["tokens_used"], got[-1].data["status"]) == (run_id, 30, "ok")
            result = only([frame for frame in got if frame.event == "tool_result"])
            assert (result.data["tool"], result.data["success"]) == ("shell_exec", True)
            half = len(got) // 2
            headers = {"Last-Event-ID": got[half].id}
            async with ann.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as rest:
                assert await read(frames(rest), is_done) == got[half + 1 :]
            async with ann.stream("GET", f"/v1/runs/{run_id}/events", headers={"Last-Event-ID": "999"}) as beyond:
                everything = await read(frames(beyond), is_done)
            assert everything[0].event == "gap"
            assert everything[1:] == got


async def test_a_call_that_must_be_approved_is_answered_202_and_the_run_goes_on_once_ruled(akili: Akili) -> None:
    with ModelServer([Reply(tool_calls=[WRITE]), Reply("written")] * 2) as model:
        async with gateway(akili, model.url, durable=True) as node, node.client() as ann:
            held = await ann.post("/v1/query", json=asked())
            body = held.json()
            assert held.status_code == 202
            assert (body["tool"], only(body["approvals"])["id"]) == ("file_write", body["approval_id"])
            assert "made.txt" in body["action"]
            now = (await ann.get(f"/v1/runs/{body['run_id']}")).json()
            assert (now["status"], now["run"], only(now["approvals"])["id"]) == ("running", None, body["approval_id"])
            busy = await ann.post("/v1/query", json=asked(conversation_id=body["conversation_id"]))
            assert (busy.status_code, busy.json()["code"]) == (409, "conflict")
            async with ann.stream("GET", f"/v1/runs/{body['run_id']}/events") as answer:
                stream = frames(answer)
                await read(stream, lambda frame: frame.event == "approval_required")
                assert not (akili.work / "made.txt").exists()
                await node.approve(body["approval_id"])
                got = await read(stream, is_done)
            assert [f.event for f in got if f.event in ("tool_result", "text", "error")] == ["tool_result", "text"]
            ended = (await ann.get(f"/v1/runs/{body['run_id']}")).json()
            assert (ended["status"], ended["run"]["answer"]) == ("ok", "written")
            assert (akili.work / "made.txt").read_text() == "x"
            async with ann.stream("POST", "/v1/query/stream", json=asked()) as answer:
                stream = frames(answer)
                waits = (await read(stream, lambda frame: frame.event == "approval_required"))[-1]
                await node.approve(waits.data["approval_id"])
                assert (await read(stream, is_done))[-1].data["run"]["answer"] == "written"


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply(status=500), 502, "model"),
        (Reply(fault="hang"), 504, "timeout"),
    ],
)
async def test_a_run_that_fails_is_an_error_with_its_ids(akili: Akili, reply: Reply, status: int, code: str) -> None:
    with ModelServer([reply] * 9) as model:
        async with gateway(akili, model.url) as node, node.client() as ann:
            answer = await ann.post("/v1/query", json=asked(timeout_seconds=0.3 if status == 504 else 20))
            body = answer.json()
            assert (answer.status_code, body["code"]) == (status, code)
            assert (await ann.get(f"/v1/runs/{body['run_id']}")).json()["run"] == body["run"]
            async with ann.stream("GET", f"/v1/runs/{body['run_id']}/events") as stream:
                got = await read(frames(stream), is_done)
            assert [frame.event for frame in got[-2:]] == ["error", "done"]
            assert got[-2].data["content"]


@pytest.mark.parametrize("wish", ["stop", "continue"])
async def test_a_reader_that_leaves_ends_the_run_only_if_it_said_so(akili: Akili, wish: str) -> None:
    with ModelServer([Reply(["one "] * 12, drip_s=0.05)]) as model:
        async with gateway(akili, model.url) as node, node.client() as ann:
            async with ann.stream("POST", "/v1/query/stream", json=asked(on_disconnect=wish)) as answer:
                first = await read(frames(answer), lambda frame: frame.event == "text")
                run_id = first[0].data["run_id"]
            for chore in node.ticking.stops:  # the supervisor does this every second
                for _ in range(20):
                    await chore.tick(0)
                    await asyncio.sleep(0.01)
            ended = await settled(ann, run_id)
    assert ended["status"] == ("interrupted" if wish == "stop" else "ok")
    assert ended["stopped_by"] == ("ann" if wish == "stop" else None)
    assert ended["run"]["run_id"] == run_id


async def test_a_run_can_be_stopped_and_its_conversation_stays_whole(akili: Akili) -> None:
    with ModelServer([Reply("half ", fault="hang_midway"), Reply("better")]) as model:
        async with gateway(akili, model.url, durable=True) as node, node.client() as ann:
            asking = asyncio.create_task(ann.post("/v1/query", json=asked()))
            while not (runs := (await ann.get("/v1/runs?status=open")).json()) or not model.requests:
                await asyncio.sleep(0.01)
            stop = await ann.post(f"/v1/runs/{runs[0]['id']}/stop")
            assert (stop.status_code, stop.json()["stopped_by"]) == (202, "ann")
            for chore in node.ticking.stops:
                await chore.tick(0)
            answer = await asking
            assert (answer.status_code, answer.json()["code"]) == (409, "interrupted")
            assert "ann" in answer.json()["error"]
            more = await ann.post("/v1/query", json=asked("again", conversation_id=runs[0]["conversation_id"]))
            assert more.json()["message"] == "better"


async def test_a_slow_reader_is_told_of_a_gap_and_nothing_piles_up(akili: Akili) -> None:
    with ModelServer([Reply(fault="hang")]) as model:
        async with gateway(akili, model.url) as node, node.client() as ann:
            host, port = node.url.removeprefix("http://").split(":")
            with socket.socket() as lazy:
                lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
                lazy.connect((host, int(port)))
                lazy.setblocking(False)
                body = json.dumps(asked()).encode()
                head = f"POST /v1/query/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEYS['ann']}\r\n"
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                loop, live = asyncio.get_running_loop(), node.ticking.live
                await loop.sock_sendall(lazy, head.encode() + body)
                while not (runs := (await ann.get("/v1/runs?status=open")).json()):
                    await asyncio.sleep(0.01)
                for _ in range(500):
                    live.publish(runs[0]["id"], Event("text", {"text": "x" * 20_000}))
                    await asyncio.sleep(0)
                assert live._feeds[runs[0]["id"]].bytes <= MAX_BYTES
                await ann.post(f"/v1/runs/{runs[0]['id']}/stop")
                for chore in node.ticking.stops:
                    await chore.tick(0)
                got = b""
                while b"event: done" not in got[-200_000:]:
                    got += await loop.sock_recv(lazy, 1_000_000)
    assert b"event: gap" in got
    assert len(got) < 500 * 20_000


async def test_the_api_describes_itself(akili: Akili) -> None:
    async with gateway(akili) as node, node.client() as ann:
        told = (await ann.get("/openapi.json")).json()
        page = await ann.get("/docs")
    assert told["openapi"].startswith("3.1")
    assert told["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    for path, methods in told["paths"].items():
        for operation in methods.values():
            assert operation["operationId"], path
            assert ("security" in operation) is (path.startswith("/v1/") and "webhooks" not in path)
            assert "422" not in operation["responses"] or path.startswith("/v1/")
    assert "https://" not in page.text.replace("https://fastapi", "")


def started(akili: Akili) -> tuple[subprocess.Popen[bytes], str]:
    """Start a gateway and wait until it says where it serves."""
    process = akili.start("gateway", "--port", "0", "--drain", "1", env={"AKILI_API_KEYS": api_keys()})
    assert process.stderr is not None
    limit = threading.Timer(30, process.kill)
    limit.start()
    line = process.stderr.readline().decode()
    limit.cancel()
    assert " serves " in line, line + process.stderr.read().decode()
    return process, line.split(" serves ")[1].split(";")[0]


def call(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEYS['ann']}", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data, headers)  # our own server
    return urllib.request.urlopen(request, timeout=30)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_gateway_that_goes_away_loses_no_run_and_repeats_nothing(akili: Akili, number: signal.Signals) -> None:
    echo = Call("shell_exec", {"command": f"echo x >> {akili.work}/lines"})
    rule = {
        "id": "lines",
        "match": {"tools": ["shell_exec"], "commands": ["echo"]},
        "verdict": "allow",
        "because": "it is a test",
        "risk": "low",
    }
    akili.work.chmod(0o777)
    with ModelServer([Reply(tool_calls=[echo]), Reply(fault="hang"), Reply("done")]) as model:
        akili.configure(model_url=model.url, **TOLD, policies={"rules": [rule]})
        process, url = started(akili)
        try:
            stream = call(url, "/v1/query/stream", asked())
            seen = b""
            while b"tool_result" not in seen:
                seen += stream.read1()
            while len(model.requests) < 2:
                time.sleep(0.01)
            run_id = json.loads(seen.split(b"data: ")[1].split(b"\n")[0])["run_id"]
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
            assert process.returncode == (0 if number is signal.SIGTERM else -signal.SIGKILL), err.decode()
            if number is signal.SIGTERM:
                assert b": shutdown" in stream.read()
                assert b"Traceback" not in err, err.decode()
        finally:
            process.kill()
        process, url = started(akili)
        try:
            end = time.monotonic() + 25
            while (found := json.load(call(url, f"/v1/runs/{run_id}")))["status"] == "running":
                assert time.monotonic() < end
                time.sleep(0.05)
            assert (found["status"], found["run"]["answer"]) == ("ok", "done")
            text = call(url, f"/v1/runs/{run_id}/events").read().decode()
            assert text.count("event: done") == 1
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert (akili.work / "lines").read_text() == "x\n"
    assert len(model.requests) == 3
    kept = sqlite_rows(akili, "SELECT role FROM conversation_messages")
    assert [role for (role,) in kept] == ["user", "assistant", "user", "assistant"]


def test_another_node_of_the_same_database_goes_on_with_a_question(tmp_path: Path) -> None:
    with any_server() as server, own_database(server) as dsn:
        akili = Placed(tmp_path, dsn)
        with ModelServer([Reply("first"), Reply(fault="hang"), Reply("done")]) as model:
            akili.configure(model_url=model.url, **TOLD)
            (lost, its_url), (other, url) = started(akili), started(akili)
            try:
                talk = json.load(call(its_url, "/v1/query", asked()))["conversation_id"]
                with call(its_url, "/v1/query/stream", asked("more", conversation_id=talk)):
                    while len(model.requests) < 2:
                        time.sleep(0.01)
                    run_id = only(json.load(call(url, "/v1/runs?status=open")))["id"]
                    with pytest.raises(urllib.error.HTTPError, match="409") as busy:
                        call(url, "/v1/query", asked("and", conversation_id=talk))
                    busy.value.close()
                    lost.kill()
                    lost.wait()
                    events = call(url, f"/v1/runs/{run_id}/events").read().decode()
                assert events.count("event: done") == 1
                assert json.load(call(url, f"/v1/runs/{run_id}"))["run"]["answer"] == "done"
            finally:
                lost.kill()
                lost.communicate()
                other.terminate()
                other.communicate(timeout=20)
            assert other.returncode == 0
        assert len(model.requests) == 3


def sqlite_rows(akili: Akili, sql: str) -> list[tuple[Any, ...]]:
    import sqlite3

    with sqlite3.connect(akili.workspace / "akili.db") as db:
        return db.execute(sql).fetchall()


async def test_what_it_cannot_serve_with_is_refused_with_the_fix(akili: Akili) -> None:
    async def refused(http: dict[str, Any], keys: str = api_keys()) -> ConfigError:
        akili.configure(gateways={"http": {"enabled": True, **http}})
        start = Start(env=akili.environment(AKILI_API_KEYS=keys), cwd=akili.work)
        async with (
            open_state(start) as state,
            open_app(state) as app,
            open_ticking(app, ("query",), durable=False) as ticking,
        ):
            with pytest.raises(ConfigError) as caught:
                async with open_http(app, ticking, drain_s=0):
                    pass
        return caught.value

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = await refused({"listen_addr": f"127.0.0.1:{port}"})
        assert "the port is in use" in str(error)
        assert "ss -ltnp" in error.hint
    assert "akili keys create" in (await refused({"listen_addr": ":0"}, keys="")).hint
    assert "manual" in str(await refused({"listen_addr": "127.0.0.1:0"}, keys="changeme-changeme:ann"))
