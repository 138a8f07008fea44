"""A read-only run changes nothing, whatever policy allows, whichever tool, by whichever door."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akili_cli.bootstrap.app import App, Start, open_app, open_state
from akili_cli.cli.prompt import TerminalAsker
from akili_cli.cli.repl_session import Session
from akili_cli.core.sandbox.privileges import NOBODY
from akili_cli.domain.calls import Principal, Run, Source, Status, ToolCall
from akili_cli.domain.events import Event
from akili_cli.domain.ids import new_uuid
from tests.fakes.model_server import Call, ModelServer, Reply
from tests.fakes.wiring import ScriptedAsker

EVERYTHING = (
    *("read_files", "write_files", "shell_exec", "code_exec", "web_search", "git_read", "git_write", "autonomous"),
    *("create_cronjob", "create_alert", "send_notification"),
)
DIGEST = "0" * 64
CHANGES: dict[str, tuple[dict[str, Any], ...]] = {
    "shell_exec": (
        {"command": "touch {work}/x"},
        {"command": "echo x > {work}/x"},
        {"command": "rm {work}/kept"},
        {"command": "mv {work}/kept {work}/x"},
        {"command": "df; touch {work}/x"},
        {"command": "cat {work}/kept | tee {work}/x"},
        {"command": "find {work} -name kept -delete"},
        {"command": "sed -i s/a/b/ {work}/kept"},
        {"command": "env sh -c 'touch {work}/x'"},
        {"command": "$(echo touch) {work}/x"},
        {"command": "systemctl restart nginx"},
        {"command": "kill 1"},
        {"command": "curl -X POST http://127.0.0.1:1/"},
        {"command": 'python3 -c \'open("{work}/x", "w")\''},
        {"command": "sleep 0"},
    ),
    "file_write": ({"path": "{work}/x", "content": ""}, {"path": "{work}/kept", "content": "b"}),
    "git_write": (
        {"subcommand": "add", "repo_path": "{work}", "args": ["kept"]},
        {"subcommand": "commit", "repo_path": "{work}", "args": ["-m", "x", "--allow-empty"]},
        {"subcommand": "branch", "repo_path": "{work}", "args": ["other"]},
    ),
    "code_exec": (
        {"language": "python3", "code": "open('{work}/x', 'w')"},
        {"language": "sh", "code": "touch {work}/x"},
        {"language": "bash", "code": "sleep 0"},
    ),
    "file_restore": ({"entry": "abcd", "path": "{work}/kept", "current": DIGEST, "earlier": None},),
    "git_restore": ({"entry": "abcd", "repo_path": "{work}", "current": DIGEST, "earlier": DIGEST},),
    "create_cronjob": ({"name": "x", "cron_expression": "* * * * *", "goal": "x"},),
    "create_alert": (
        {"name": "x", "cron_expression": "* * * * *", "check_type": "tcp", "target": "a:1", "channels": ["x"]},
    ),
    "endpoint_check": ({"kind": "tcp", "host": "127.0.0.1", "port": 1},),
    "send_notification": ({"channels": ["x"], "message": "x"},),
    "notification_deliver": ({"delivery_id": "x", "channel": "x", "host": ""},),
}


class Place:
    def __init__(self, home: Path, work: Path, server: ModelServer) -> None:
        self.home, self.work, self.server = home, work, server

    def filled(self, arguments: dict[str, Any]) -> dict[str, Any]:
        filled: dict[str, Any] = json.loads(json.dumps(arguments).replace("{work}", str(self.work)))
        return filled

    def state(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.work.rglob("*") if path.is_file()}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[App]:
        stub = {"kind": "openai_compatible", "base_url": f"{self.server.url}/v1", "model": "m", "price": {"free": True}}
        role = {"permissions": EVERYTHING, "max_risk_level": "critical"}
        config = {
            "security": {"roles": {"root": role}, "default_role": "root"},
            "providers": {"default": "stub", "stub": stub},
            "tools": {
                "file": {"allowed_paths": [str(self.work)]},
                "git": {"allowed_paths": [str(self.work)]},
                "web": {"allowed_domains": ["127.0.0.1"]},
                "code": {"allowed_languages": ["python3", "sh", "bash"]},
            },
            "policies": {"builtin": ["diagnostics"]},
        }
        path = self.home / ".akili" / "config.json"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        async with open_state(Start(env, self.work)) as state, open_app(state, asker=ScriptedAsker()) as app:
            yield app


@pytest.fixture
def place() -> Iterator[Place]:
    with ModelServer() as server, tempfile.TemporaryDirectory(prefix="akili-test-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        home, work = root / "h", root / "w"
        (home / ".akili").mkdir(parents=True, mode=0o700)
        work.mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=work, check=True)
        (work / "kept").write_text("a")
        if os.geteuid() == 0:  # commands then run as nobody, and git_write wants the repository to be theirs
            for each in (work, *work.rglob("*")):
                os.chown(each, NOBODY, NOBODY)
        yield Place(home, work, server)


def cases() -> list[tuple[str, dict[str, Any]]]:
    return [(tool, arguments) for tool, calls in CHANGES.items() for arguments in calls]


def run_of(**changes: Any) -> Run:
    return Run(new_uuid(), Principal("ann", Source.CLI), "c" * 16, read_only=True, **changes)


def nothing_ran(steps: list[Any]) -> None:
    for step in steps:
        status, rule = str(step["status"]), step["rule"]
        assert (status == "denied" and rule is not None) or status == "invalid", step


async def test_every_tool_that_is_not_read_only_has_its_case(place: Place) -> None:
    async with place.opened() as app:
        tools = [app.pipeline.tools.get(name) for name in app.pipeline.tools.names()]
        assert {tool.name for tool in tools if not tool.read_only} <= set(CHANGES)
        understood = set()
        for name, arguments in cases():
            if name not in app.pipeline.tools.names():  # its room is closed by default
                continue
            step = await app.pipeline.run(ToolCall("c", name, place.filled(arguments)), run_of())
            assert step.status is Status.DENIED, (name, arguments, step.text)
            understood.add(name)
        assert {tool.name for tool in tools if not tool.read_only} <= understood, "a case was only invalid"


@pytest.mark.parametrize("changes", [{}, {"autonomous": True}, {"plan": True}, {"untrusted": ("stdin",)}], ids=str)
async def test_nothing_changes_in_a_read_only_run(place: Place, changes: dict[str, Any]) -> None:
    before = place.state()
    async with place.opened() as app:
        for name, arguments in cases():
            step = await app.pipeline.run(ToolCall("c", name, place.filled(arguments)), run_of(**changes))
            assert step.status in (Status.DENIED, Status.INVALID), (name, arguments, step)
            if step.decision is not None:
                assert "read-only-mode" in {hit.rule_id for hit in step.decision.hits}, (name, arguments)
        assert await app.approvals.list() == []
    assert place.state() == before


async def test_nothing_changes_when_the_model_of_a_read_only_query_tries_it_all(place: Place) -> None:
    before, events = place.state(), list[Event]()
    calls = [Call(name, place.filled(arguments)) for name, arguments in cases()]
    place.server._script = [Reply(tool_calls=[call]) for call in calls] + [Reply(text="done")]
    async with place.opened() as app:
        loop = await app.loop()
        loop = replace(loop, settings=loop.settings.model_copy(update={"max_iterations": 200}))
        report = (await loop.run("try", run_of(), emit=events.append)).as_dict()
    steps = report["steps"]
    assert isinstance(steps, list)
    assert len(steps) == len(calls)
    nothing_ran(steps)
    assert report["status"] == "denied"
    assert place.state() == before


async def test_nothing_changes_at_a_prompt_that_is_read_only(place: Place) -> None:
    before = place.state()
    calls = [Call(name, place.filled(arguments)) for name, arguments in cases()]
    async with place.opened() as app:
        me = Principal("ann", Source.REPL)
        session = Session(app=app, asker=TerminalAsker(), loop=await app.loop(), me=me, mode="read-only")
        for call in calls:
            place.server._script, place.server._next = [Reply(tool_calls=[call]), Reply(text="done")], 0
            await session.take("try")
            assert session.last is not None
            nothing_ran([*session.last.report["steps"]])  # type: ignore[misc]  # a list
    assert place.state() == before


async def test_a_runbook_changes_nothing_in_a_read_only_run(place: Place) -> None:
    before = place.state()
    calls = [
        {"id": f"s{n}", "tool": tool, "with": place.filled(arguments)}
        for n, (tool, arguments) in enumerate(cases())
        if tool in ("shell_exec", "file_write", "git_write", "code_exec") and "$(" not in str(arguments)
    ]
    steps = [f"```yaml akili\n{json.dumps(call)}\n```\n" for call in calls]
    tools = "[shell_exec, file_write, git_write, code_exec]"
    head = f"---\nname: All\nagent_role: executor\ncategory: x\ntools_required: {tools}\nrisk_level: low\n"
    head += "default_budget: 1\n---\n\n# All\n\n## Procedure\n\n"
    async with place.opened() as app:
        (place.home / ".akili" / "runbooks" / "all.md").write_text(head + "\n".join(steps))
        loop = await app.loop(runbook="all")
        report = (await loop.run("play", run_of())).as_dict()
    played = report["steps"]
    assert isinstance(played, list)
    assert played
    nothing_ran(played)
    assert place.state() == before


async def test_what_only_looks_still_runs(place: Place) -> None:
    looks = {
        "file_read": {"path": f"{place.work}/kept"},
        "shell_exec": {"command": "df -P"},
    }
    async with place.opened() as app:
        for name, arguments in looks.items():
            step = await app.pipeline.run(ToolCall("c", name, arguments), run_of())
            assert step.status is Status.OK, step
