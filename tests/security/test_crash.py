from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Row
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import load_or_create_key, open_audit_log
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.audit.verify import Problem, verify
from akili_cli.domain.clock import SystemClock
from tests.fakes.crash_run import RUN_ID
from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import ROLE, Akili

ROOT = Path(__file__).parents[2]
KILLS = 50
LONGEST_S = 0.6
CONFIG = {
    "security": {
        "roles": {"operator": {**ROLE, "require_approval": [], "max_risk_level": "high"}},
        "default_role": "operator",
    },
    "policies": {
        "rules": [
            {
                "id": "lines",
                "match": {"tools": ["shell_exec"], "commands": ["sleep", "echo"]},
                "verdict": "allow",
                "because": "the script writes lines",
                "risk": "low",
            }
        ]
    },
}


@dataclass
class Crashes:
    """One workspace, its driver, and what was seen in it so far."""

    root: Path
    seen: dict[str, str] = field(default_factory=dict)
    open_intents: int = 0
    families: int = 0

    def __post_init__(self) -> None:
        self.workspace, self.work = self.root / "home" / ".akili", self.root / "work"
        self.workspace.mkdir(mode=0o700, parents=True)
        (self.workspace / "config.json").write_text(
            json.dumps({**CONFIG, "tools": {"file": {"allowed_paths": [str(self.work)]}}})
        )
        for name in ("files", "log"):
            (self.work / name).mkdir(parents=True)
        (self.work / "log").chmod(0o777)  # as root, commands run as nobody
        (self.work / "log" / "lines.txt").touch()
        (self.work / "log" / "lines.txt").chmod(0o666)
        env = {"HOME": str(self.root / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self.driver = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.crash_run", str(self.work)],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def say(self, line: str) -> None:
        assert self.driver.stdin
        self.driver.stdin.write(line.encode() + b"\n")

    def answer(self, timeout_s: float = 20) -> str:
        """Give the driver's next line."""
        assert self.driver.stdout
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.driver.stdout], [], [], timeout_s)[0], "the driver does not answer"
            piece = os.read(self.driver.stdout.fileno(), 1)
            assert piece, self.driver.communicate()[1].decode()
            line += piece
        return line.decode().strip()

    def kill(self, life: str, delay_s: float, *, after_opening: bool) -> None:
        """Start akili and kill it that much later."""
        self.say(f"life {life}")
        process = int(self.answer().removeprefix("life "))
        if after_opening:
            assert self.answer() == "opened"
        time.sleep(delay_s)
        self.families += len(self.descendants()) > 1
        os.kill(process, signal.SIGKILL)
        self.say(f"wait {process}")
        said = self.answer()
        if not after_opening:
            said = self.answer() if said == "opened" else said
        assert said == f"wait {-signal.SIGKILL}", self.errors()
        assert self.children() == [], "something of it lived on"

    def finish(self) -> float:
        """Let akili make a few calls and end by itself; give the seconds it took from when it was open."""
        self.say(f"last end{len(self.seen)}")
        process = int(self.answer().removeprefix("last "))
        assert self.answer() == "opened"
        opened_at = time.monotonic()
        self.say(f"wait {process}")
        assert self.answer() == "wait 0", self.errors()
        return time.monotonic() - opened_at

    def errors(self) -> str:
        self.driver.kill()
        return self.driver.communicate()[1].decode()

    def children(self) -> list[str]:
        """Give what is left of a killed akili; whatever its processes descended from, they are the driver's now."""
        deadline = time.monotonic() + 5
        while (left := self.descendants()) and time.monotonic() < deadline:
            time.sleep(0.002)  # the kernel has a moment to end them all
        return left

    def descendants(self) -> list[str]:
        """Give the command lines of all living processes below the driver."""
        parents: dict[int, tuple[int, str]] = {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    parents[int(place.name)] = (int(parent), words)
        below = {self.driver.pid}
        while more := {process for process, (parent, _) in parents.items() if parent in below} - below:
            below |= more
        return [parents[process][1] for process in below if process != self.driver.pid]

    def effects(self) -> list[tuple[str, str]]:
        """Give what was done, as (call, life) pairs, twice what was done twice."""
        texts = [path.read_text() for path in (self.work / "files").iterdir() if not path.name.startswith(".")]
        texts.append((self.work / "log" / "lines.txt").read_text())
        return [(call, life) for text in texts for line in text.splitlines() for call, life in [line.split()]]

    async def check(self) -> None:
        """Look at what lies on the disk, in a copy, so that the next akili finds what this one left."""
        effects = self.effects()
        calls = [call for call, _ in effects]
        assert len(calls) == len(set(calls)), "an effect happened twice"
        for call, life in effects:
            assert self.seen.setdefault(call, life) == life, (
                f"{call} was done in {self.seen[call]}, and again in {life}"
            )
        assert self.seen.keys() == set(calls)
        if not (self.workspace / "audit.key").exists():
            assert calls == []
            return
        copy = self.root / "copy"
        copy.mkdir()
        for source in self.workspace.glob("akili.db*"):
            if not source.name.endswith("-shm"):
                shutil.copy(source, copy / source.name)
        if (self.workspace / "audit").exists():
            shutil.copytree(self.workspace / "audit", copy / "audit")
        try:
            await self.check_copy(copy, set(calls))
        finally:
            shutil.rmtree(copy)

    async def check_copy(self, copy: Path, calls: set[str]) -> None:
        key = load_or_create_key(self.workspace / "audit.key")
        db = await open_sqlite(copy / "akili.db")
        try:
            before = await verify(db, copy / "audit", key)
            rows = await db.read(
                lambda c: c.execute(
                    "SELECT call_id, kind, result FROM audit_events WHERE run_id = :run ORDER BY at, seq",
                    {"run": RUN_ID},
                )
            )
            left = await AuditReader(db).left_open(copy / "audit")
            log = await open_audit_log(db, copy / "audit", key, SystemClock(), Redactor())
            await log.close()
            after = await verify(db, copy / "audit", key)
            started = await AuditReader(db).get(f"{log.stream}-1")
            ended = await AuditReader(db).interrupted(started.at)
        finally:
            await db.close()
        assert after.problems == (), "the chain does not verify"
        self.check_torn(before.problems, started.record.parameters)
        intents = [str(row["call_id"]) for row in rows if row["kind"] == "call.intent"]
        assert calls <= set(intents), "an effect has no intent"
        assert len(intents) == len(set(intents)), "a call was begun twice"
        self.check_outcomes(rows, calls)
        assert [entry.id for entry in left] == [entry.record.intent for entry in ended]
        outcomes = [str(row["call_id"]) for row in rows if row["kind"] == "call.outcome"]
        assert len(outcomes) == len(set(outcomes))
        assert {entry.record.call_id for entry in left} == set(intents) - set(outcomes)
        self.open_intents += len(left)

    def check_torn(self, problems: tuple[Problem, ...], started: object) -> None:
        """What a kill may leave behind is lines that are missing at the end of a file; mending them is recorded."""
        assert isinstance(started, dict)
        lines = started.get("restored_lines", {})
        assert "damaged" not in started
        assert "suspect" not in started
        assert {problem.stream for problem in problems} == set(lines)
        assert all("lines too early" in problem.what for problem in problems), problems

    def check_outcomes(self, rows: list[Row], calls: set[str]) -> None:
        """What was said to be done is done."""
        done = {str(row["call_id"]) for row in rows if row["result"] == "success"}
        assert done <= calls, "a call was said to be done, and its effect is not there"
        assert {row["result"] for row in rows} <= {"intent", "success", "interrupted"}

    def close(self) -> None:
        self.driver.kill()
        self.driver.communicate()
        assert self.children() == []


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    made = Crashes(tmp_path)
    yield made
    made.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("group", range(4))
async def test_fifty_kills_leave_no_effect_twice_none_without_an_intent_and_a_whole_chain(
    group: int, crashes: Crashes
) -> None:
    moments, span_s = random.Random(group), min(crashes.finish(), LONGEST_S)
    for number in range(KILLS):
        late = bool(number % 4)
        delay_s = moments.uniform(0, span_s if late else span_s / 4)
        crashes.kill(f"life{number}", delay_s, after_opening=late)
        await crashes.check()
    crashes.finish()
    await crashes.check()
    assert len(crashes.seen) >= KILLS // 2
    assert crashes.open_intents >= KILLS // 5
    assert crashes.families >= KILLS // 5, "hardly a kill had anything to leave behind"


def test_a_killed_command_line_is_told_verified_and_not_repeated(tmp_path: Path) -> None:
    akili = Akili(tmp_path)
    command = f"sleep 61.{os.getpid() % 1000:03d}"
    with ModelServer([Reply(tool_calls=[Call("shell_exec", {"command": command})]), Reply(text="done")]) as server:
        akili.configure(model_url=server.url, **CONFIG)
        process = akili.start("query", "-m", "sleep")
        try:
            assert waited_for(lambda: command in processes())
        finally:
            process.kill()
            process.communicate()
        assert waited_for(lambda: command not in processes()), "the command lived on"
        assert "shell_exec) were under way when akili was killed" in akili.run("doctor").stdout.decode()
        verified = akili.run("audit", "verify")
        assert verified.returncode == 0, verified.stdout
        assert b"killed with 1 call under way" in verified.stderr
        again = akili.run("query", "-m", "sleep")
    assert (again.returncode, again.stdout) == (0, b"done\n")
    assert b"killed" not in again.stderr
    lines = akili.run("audit", "tail", "--tool", "shell_exec", "--json").stdout.decode().splitlines()
    intent, outcome = map(json.loads, lines)
    assert (intent["result"], outcome["result"], outcome["intent"]) == ("intent", "interrupted", intent["id"])
    assert outcome["parameters"] == {"command": command}


def waited_for(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def processes() -> str:
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return "\n".join(lines)
