"""The command line against a real gateway: everything real but the model."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import KEYS, TOLD, Node, gateway
from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import Akili, only

WRITE = Call("file_write", {"path": "made.txt", "content": "x"})
TICKING: dict[str, Any] = {name: {"enabled": True} for name in ("scheduler", "alerting", "notification")}
_SECURITY = TOLD["security"]
_ADMIN = _SECURITY["roles"]["admin"]
CHIEF: dict[str, Any] = {  # may rule on what others asked for
    **_SECURITY,
    "roles": {**_SECURITY["roles"], "admin": {**_ADMIN, "permissions": [*_ADMIN["permissions"], "approve"]}},
}


class Remote:
    """Somebody with nothing but the address and a key; what is done locally would show in ``here``."""

    def __init__(self, node: Node, directory: Path, user: str = "ann") -> None:
        directory.mkdir(exist_ok=True)
        self.here = Akili(directory)
        self.env = {"AKILI_GATEWAY_URL": node.url, "AKILI_API_KEY": KEYS[user]}

    async def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        env = {**self.env, **options.pop("env", {})}
        done = await asyncio.to_thread(self.here.run, *arguments, env=env, **options)
        assert not self.here.workspace.exists(), "it worked on this machine"
        return done

    async def json(self, *arguments: str, **options: Any) -> tuple[int, Any]:
        done = await self.run(*arguments, "--json", **options)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@asynccontextmanager
async def remote(
    akili: Akili, directory: Path, replies: list[Reply] | None = None, **sections: Mapping[str, Any]
) -> AsyncIterator[tuple[Node, Remote]]:
    with ModelServer(replies or [Reply("it is well", repeat=True)]) as model:
        async with gateway(akili, model.url, **{"security": CHIEF, **sections}) as node:
            yield node, Remote(node, directory / "elsewhere")


async def test_a_question_is_answered_as_it_is_here(akili: Akili, tmp_path: Path) -> None:
    async with remote(akili, tmp_path) as (_node, ann):
        done = await ann.run("query", "-m", "go")
        assert (done.returncode, done.stdout) == (0, b"it is well\n")
        assert b"[correlation_id=" in done.stderr
        streamed = await ann.run("query", "-m", "go", "--stream")
        assert (streamed.returncode, streamed.stdout) == (0, b"it is well\n")
        code, report = await ann.json("query", "-m", "go")
        assert (code, report["schema"], report["answer"]) == (0, "akili.run/1", "it is well")
        lines = await ann.run("query", "-m", "go", "--jsonl")
    names = [json.loads(line)["event"] for line in lines.stdout.splitlines()]
    assert (names[0], names[-1]) == ("run.started", "run.finished")


async def test_the_lines_of_jsonl_have_the_same_fields_there_and_here(akili: Akili, tmp_path: Path) -> None:
    look = Call("file_read", {"path": "a.txt"})
    (akili.work / "a.txt").write_text("42")
    replies = [Reply("I look", tool_calls=[look]), Reply("42")] * 2
    async with remote(akili, tmp_path, replies) as (_node, ann):
        there = (await ann.run("query", "-m", "go", "--jsonl")).stdout
        here = (await asyncio.to_thread(akili.run, "query", "-m", "go", "--jsonl")).stdout

    def shape(data: bytes) -> list[tuple[str, list[str]]]:
        told = [json.loads(line) for line in data.splitlines()]
        return [(one["event"], sorted(one)) for one in told if one["event"] not in ("text", "notice")]

    assert shape(there) == shape(here)


async def test_a_conversation_goes_on(akili: Akili, tmp_path: Path) -> None:
    async with remote(akili, tmp_path, [Reply("first"), Reply("second"), Reply("third")]) as (_node, ann):
        assert (await ann.run("query", "-m", "x", "--continue")).returncode == 1
        _, first = await ann.json("query", "-m", "remember 7")
        _, second = await ann.json("query", "-m", "which?", "--continue")
        _, third = await ann.json("query", "-m", "which?", "--conversation-id", first["conversation_id"])
        assert first["conversation_id"] == second["conversation_id"] == third["conversation_id"]
        bad = await ann.run("query", "-m", "x", "--conversation-id", "no-uuid")
        assert bad.returncode == 1


async def test_what_is_piped_in_and_attached_travels(akili: Akili, tmp_path: Path) -> None:
    with ModelServer([Reply("seen")]) as model:
        async with gateway(akili, model.url) as node:
            ann = Remote(node, tmp_path / "elsewhere")
            note = ann.here.work / "note.txt"
            note.write_text("from a file")
            done = await ann.run("query", "-m", "go", "-f", str(note), stdin=b"from a pipe")
            assert done.returncode == 0
        sent = json.dumps(model.requests[0]["messages"])
    assert "from a file" in sent
    assert "from a pipe" in sent


@pytest.mark.parametrize(
    ("env", "code", "word"),
    [
        ({"AKILI_API_KEY": ""}, 2, b"needs an API key"),
        ({"AKILI_API_KEY": "Zx81nobodyknowsthis"}, 2, b"fatal"),
        ({"AKILI_GATEWAY_URL": "http://127.0.0.1:1"}, 3, b"cannot be reached"),
        ({"AKILI_GATEWAY_URL": "ftp://x"}, 64, b"not usable"),
    ],
    ids=["no key", "wrong key", "nobody there", "no address"],
)
async def test_a_question_that_nobody_takes_has_its_exit_code(
    akili: Akili, tmp_path: Path, env: dict[str, str], code: int, word: bytes
) -> None:
    async with remote(akili, tmp_path) as (_node, ann):
        for output in ((), ("--json",), ("--stream",)):
            done = await ann.run("query", "-m", "go", *output, env=env)
            assert (done.returncode, done.stdout) == (code, b"")
            assert word in done.stderr
            assert b"Zx81" not in done.stderr


async def test_the_flag_beats_the_environment(akili: Akili, tmp_path: Path) -> None:
    async with remote(akili, tmp_path) as (node, ann):
        wrong = {"AKILI_GATEWAY_URL": "http://127.0.0.1:1", "AKILI_API_KEY": "Zx81nobodyknowsthis"}
        flags = ("--gateway-url", node.url, "--api-key", KEYS["ann"])
        assert (await ann.run("query", "-m", "go", *flags, env=wrong)).returncode == 0


async def test_a_held_call_is_ruled_on_by_another_client_and_the_run_ends(akili: Akili, tmp_path: Path) -> None:
    replies = [Reply("I write", tool_calls=[WRITE]), Reply("written")]
    async with remote(akili, tmp_path, replies) as (node, ann):
        code, report = await ann.json("query", "-m", "write it")
        assert (code, report["status"]) == (2, "approval_required")
        waiting = only(report["approvals"])
        assert not (akili.work / "made.txt").exists()
        root = Remote(node, tmp_path / "chief", "root")
        code, listed = await root.json("approvals", "list")
        assert only(listed)["id"] == waiting["id"]
        card = await root.run("approvals", "show", waiting["short_id"])
        assert b"made.txt" in card.stdout
        done = await root.run("approvals", "approve", waiting["short_id"])
        assert done.returncode == 0, done.stderr
        assert (akili.work / "made.txt").read_text() == "x"
        again = await root.run("approvals", "approve", waiting["short_id"])
        assert again.returncode == 1
        _, run = await settled(node, report["run_id"])
        assert (run["status"], run["answer"]) == ("ok", "written")
        local = await asyncio.to_thread(akili.run, "audit", "verify")
        assert local.returncode == 0


async def settled(node: Node, run_id: str) -> tuple[str, dict[str, Any]]:
    async with node.client() as client:
        while (found := (await client.get(f"/v1/runs/{run_id}")).json())["run"] is None:
            await asyncio.sleep(0.02)
    return found["status"], found["run"]


async def test_a_held_call_that_is_denied_never_runs(akili: Akili, tmp_path: Path) -> None:
    replies = [Reply("I write", tool_calls=[WRITE]), Reply("as you wish")]
    async with remote(akili, tmp_path, replies) as (node, ann):
        done = await ann.run("query", "-m", "write it", "--detailed-exitcode")
        assert done.returncode == 10
        assert b"akili approvals" in done.stderr
        root = Remote(node, tmp_path / "chief", "root")
        (card,) = (await root.json("approvals", "list"))[1]
        denied = await root.run("approvals", "deny", card["short_id"], "-m", "use the wiki")
        assert denied.returncode == 0
        status, run = await settled(node, card["run_id"])
        assert (status, run["answer"]) == ("denied", "as you wish")
        assert not (akili.work / "made.txt").exists()


async def test_what_the_model_cannot_is_a_failure_and_never_nothing(akili: Akili, tmp_path: Path) -> None:
    async with remote(akili, tmp_path, [Reply(status=401, text="bad key")]) as (_node, ann):
        for output in ((), ("--json",), ("--jsonl",), ("--stream",)):
            done = await ann.run("query", "-m", "go", *output)
            assert done.returncode in (1, 3), (output, done)
            here = await asyncio.to_thread(akili.run, "query", "-m", "go", *output)
            assert done.returncode == here.returncode


async def test_a_gateway_without_streams_answers_all_the_same(akili: Akili, tmp_path: Path) -> None:
    closed = {"http": {**TOLD["gateways"]["http"], "sse": False}}
    replies = [Reply("it is well"), Reply("I write", tool_calls=[WRITE]), Reply("written")]
    async with remote(akili, tmp_path, replies, gateways=closed) as (_node, ann):
        done = await ann.run("query", "-m", "go")
        assert (done.returncode, done.stdout) == (0, b"it is well\n")
        code, report = await ann.json("query", "-m", "write it")
        assert (code, report["status"]) == (2, "approval_required")


async def test_an_interrupt_ends_the_run_at_the_gateway(akili: Akili, tmp_path: Path) -> None:
    async with remote(akili, tmp_path, [Reply(["slow", "er"], drip_s=30.0)]) as (node, ann):
        process = await asyncio.to_thread(ann.here.start, "query", "-m", "go", "--json", env=ann.env)
        async with node.client() as client:
            while not (runs := (await client.get("/v1/runs", params={"status": "open"})).json()):
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)  # until the command has read the run's id
            process.send_signal(signal.SIGINT)
            ending = asyncio.ensure_future(asyncio.to_thread(process.communicate))
            while not (await client.get(f"/v1/runs/{runs[0]['id']}")).json()["stopped_by"]:
                await asyncio.sleep(0.02)
            for chore in node.ticking.stops:  # the supervisor does this every second
                await chore.tick(0.0)
            out, err = await ending
            assert process.returncode == 130, err
            assert json.loads(out)["status"] == "interrupted"
            ended = (await client.get(f"/v1/runs/{runs[0]['id']}")).json()
        assert ended["status"] == "interrupted"


async def test_what_the_gateway_keeps_is_read_by_the_same_commands(akili: Akili, tmp_path: Path) -> None:
    reply = [Reply(tool_calls=[Call("file_read", {"path": "a.txt"})]), Reply("42")]
    (akili.work / "a.txt").write_text("42")
    async with remote(akili, tmp_path, reply, **TICKING) as (node, ann):
        async with node.client() as client:
            job = {"name": "nightly", "cron_expression": "0 3 * * *", "goal": "look"}
            assert (await client.post("/v1/cronjobs", json=job)).status_code == 201
        await ann.json("query", "-m", "go")
        for arguments, word in {
            ("cron", "list"): b"nightly",
            ("cron", "show", "nightly"): b"0 3 * * *",
            ("cron", "history", "nightly"): b"",
            ("alerts", "list"): b"",
            ("audit", "tail", "--tool", "file_read"): b"success",
            ("audit", "search", "a.txt"): b"file_read",
            ("budget",): b"user",
            ("runbooks", "list"): b"service-health-check",
            ("runbooks", "show", "service-health-check"): b"#",
            ("policy", "explain", "--", "df", "-h"): b"df -h",
            ("undo", "--list"): b"",
            ("approvals", "list"): b"",
            ("channels", "list"): b"",
            ("heartbeats", "list"): b"",
        }.items():
            done = await ann.run(*arguments)
            assert done.returncode == 0, (arguments, done)
            assert word in done.stdout, (arguments, done)
        lines = (await ann.run("audit", "tail", "--json")).stdout.splitlines()
        assert {json.loads(line)["user"] for line in lines} == {"ann"}
        ben = Remote(node, tmp_path / "ben", "ben")
        assert (await ben.json("cron", "list"))[1] == []
        assert (await ben.run("cron", "show", "nightly")).returncode == 1
        assert (await ben.run("budget", "--user", "ann")).returncode == 2
        assert (await ben.run("cron", "rm", "nightly")).returncode == 64
