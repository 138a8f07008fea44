from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.ids import new_uuid
from akili_cli.features.heartbeats.model import Precheck, PrecheckKind
from akili_cli.features.heartbeats.precheck import Checked, check
from tests.fakes.heartbeats import ALLOW, HeartbeatRoom, open_heartbeat_room
from tests.fakes.steps import CrashError, DictSteps
from tests.fakes.web import WebServer

ANN = Principal("ann", Source.HEARTBEAT)
ASK = Rule("hold", BUILT_IN, Verdict.ASK, Match(tools=("shell_exec",)), "a human looks first")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HeartbeatRoom]:
    async with open_heartbeat_room(tmp_path) as opened:
        yield opened


async def look(
    room: HeartbeatRoom, kind: PrecheckKind, value: str, steps: DictSteps | None = None, who: Principal = ANN
) -> Checked:
    if steps is None:
        steps = DictSteps()
        steps.run_id = new_uuid()
    return await check(
        Precheck(kind, value),
        room.bench.pipeline,
        who,
        steps,
        correlation_id="hbt-00000000",
        max_cost_usd=0.5,
    )


async def test_the_same_output_gives_the_same_digest_and_another_another(room: HeartbeatRoom) -> None:
    one, two, other = [await look(room, PrecheckKind.COMMAND, f"echo {word}") for word in ("a", "a", "b")]
    assert one == two != other
    assert len(one.digest) == 64
    (record,) = [e.record for e in await room.bench.records() if e.record.result == "success"][:1]
    assert (record.user, record.source, record.tool, record.correlation_id) == (
        "ann",
        "heartbeat",
        "shell_exec",
        "hbt-00000000",
    )


async def test_a_file_is_looked_at_each_time_and_never_remembered(room: HeartbeatRoom, tmp_path: Path) -> None:
    watched = tmp_path / "state"
    watched.write_bytes(b"one")
    first = await look(room, PrecheckKind.FILE, str(watched))
    assert (await look(room, PrecheckKind.FILE, str(watched))) == first
    watched.write_bytes(b"two")
    assert (await look(room, PrecheckKind.FILE, str(watched))).digest not in ("", first.digest)
    watched.write_bytes(b"\0one")
    binary = await look(room, PrecheckKind.FILE, str(watched))
    watched.write_bytes(b"\0two")
    assert (await look(room, PrecheckKind.FILE, str(watched))).digest not in ("", binary.digest)


async def test_a_page_is_told_apart_by_status_and_body(tmp_path: Path) -> None:
    answers = [
        b"200 OK\r\n\r\none",
        b"200 OK\r\n\r\none",
        b"201 Made\r\n\r\none",
        b"200 OK\r\n\r\ntwo",
        b"503 No\r\n\r\n",
    ]
    server = WebServer(lambda _head: b"HTTP/1.1 " + answers[len(server.requests) - 1])
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, open_heartbeat_room(tmp_path, private=(f"127.0.0.1:{port}",), ports=(port,)) as room:
        url = f"http://127.0.0.1:{port}/"
        one, same, status, body, down = [await look(room, PrecheckKind.HTTP, url) for _ in answers]
        await server.finish()
    assert one == same
    assert len({one.digest, status.digest, body.digest}) == 3
    assert (down.digest, down.status) == ("", Status.FAILED)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PrecheckKind.COMMAND, "exit 3"),
        (PrecheckKind.COMMAND, "no-such-program-here"),
        (PrecheckKind.COMMAND, "kill -9 $$"),
        (PrecheckKind.FILE, "{tmp}/none"),
        (PrecheckKind.FILE, "{tmp}/long"),
        (PrecheckKind.FILE, "/etc/shadow"),
        (PrecheckKind.HTTP, "http://127.0.0.1:9/"),
        (PrecheckKind.HTTP, "http://169.254.169.254/"),
    ],
    ids=str,
)
async def test_a_check_that_fails_or_is_refused_gives_no_digest(
    room: HeartbeatRoom, tmp_path: Path, kind: PrecheckKind, value: str
) -> None:
    (tmp_path / "long").write_text("x" * 1_200_000)
    told = await look(room, kind, value.format(tmp=tmp_path))
    assert told.digest == ""
    assert told.status is not Status.OK
    assert told.error


async def test_who_may_not_run_it_gets_no_digest(room: HeartbeatRoom) -> None:
    told = await look(room, PrecheckKind.COMMAND, "echo a", who=Principal("vic", Source.HEARTBEAT))
    assert (told.digest, told.status) == ("", Status.DENIED)
    assert room.sandbox.requests == []


async def test_after_a_crash_the_look_is_not_repeated(room: HeartbeatRoom) -> None:
    kept: dict[str, str] = {}
    first = await look(room, PrecheckKind.COMMAND, "echo a", DictSteps(kept))
    assert await look(room, PrecheckKind.COMMAND, "echo a", DictSteps(kept)) == first
    assert len(room.sandbox.requests) == 1


async def test_a_look_cut_off_by_a_crash_is_interrupted_and_not_begun_again(room: HeartbeatRoom) -> None:
    kept: dict[str, str] = {}
    with pytest.raises(CrashError):
        await look(room, PrecheckKind.COMMAND, "echo a", DictSteps(kept, dies_after=["precheck"]))
    told = await look(room, PrecheckKind.COMMAND, "echo a", DictSteps(kept))
    assert (told.digest, told.status) == ("", Status.INTERRUPTED)
    assert len(room.sandbox.requests) == 1


@pytest.mark.parametrize("yes", [True, False], ids=["yes", "no"])
async def test_a_look_that_needs_approval_waits_for_the_ruling(tmp_path: Path, yes: bool) -> None:
    ben = Principal("ben", Source.CLI)
    async with open_heartbeat_room(tmp_path, rules=(ALLOW, ASK)) as room:
        looking = asyncio.create_task(look(room, PrecheckKind.COMMAND, "echo a"))
        while not (held := await room.bench.pipeline.approvals.list(ApprovalStatus.PENDING)):
            await asyncio.sleep(0.01)
        pipeline = room.bench.pipeline
        await (pipeline.resume(held[0].id, ben) if yes else pipeline.refuse(held[0].id, ben))
        told = await looking
        assert (bool(told.digest), told.status) == ((True, Status.OK) if yes else (False, Status.DENIED))
        assert len(room.sandbox.requests) == int(yes)
