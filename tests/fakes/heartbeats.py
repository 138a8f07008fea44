"""The heartbeats room over real parts: files, database, ticker, pipeline, tools; only clock and agent are a test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from akili_cli.adapters.engine.backends.inline import InlineEngine
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.policy.compile import PolicySpec, RoleSpec, ToolRoots, compile_rules
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.schedule.base import Ended, Fire, Goal, GoalRunner, Notice, Reached
from akili_cli.core.schedule.player import Player
from akili_cli.core.schedule.ticker import Ticker
from akili_cli.core.tools.builtin.file_read import FileRead
from akili_cli.core.tools.builtin.shell_exec import ShellExec
from akili_cli.core.tools.builtin.web_fetch import WebFetch
from akili_cli.core.tools.settings import FileToolSettings, WebToolSettings
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.messages import Model
from akili_cli.domain.ports import NoKnowledge
from akili_cli.domain.risk import Risk
from akili_cli.features.heartbeats import store
from akili_cli.features.heartbeats.model import HeartbeatResult, HeartbeatTask
from akili_cli.features.heartbeats.service import HeartbeatService, Synced
from akili_cli.features.heartbeats.settings import HeartbeatSettings
from akili_cli.features.heartbeats.worker import HeartbeatSchedule
from tests.fakes.sandbox import PlainSandbox
from tests.fakes.wiring import Bench, open_bench

ANN = Principal("ann", Source.HEARTBEAT)
RUNNER = RoleSpec("operator", ("read_files", "shell_exec", "web_search"), Risk.HIGH)
VIEWER = RoleSpec("viewer", (), Risk.LOW)
ALLOW = Rule("probes", BUILT_IN, Verdict.ALLOW, Match(tools=("shell_exec", "file_read", "web_fetch")), "for the test")


class Outbox:
    """A notifier that knows the channel ``ops`` and keeps what it is given, once for each key."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def queue(self, _connection: Connection, _org: str, notice: Notice, _now: float) -> tuple[str, ...]:
        self.notices.append(notice)
        return notice.channels

    def unknown(self, _connection: Connection, _org: str, channels: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in channels if name != "ops")


@dataclass
class StubAgent:
    """Reaches every goal as the test says, and counts."""

    reached: Reached = Reached(status="ok", answer="all is well", run_id="r1", tokens=7, cost_usd=0.01)
    goals: list[Goal] = field(default_factory=list)

    async def run(self, goal: Goal, _steps: Steps) -> Reached:
        self.goals.append(goal)
        return self.reached


@dataclass
class HeartbeatRoom:
    bench: Bench
    folder: Path
    service: HeartbeatService
    schedule: HeartbeatSchedule
    outbox: Outbox
    agent: StubAgent
    ticker: Ticker
    player: Player
    sandbox: PlainSandbox

    def write(self, text: str, name: str = "a.md") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    async def sync(self) -> Synced:
        return await self.service.sync(ANN)

    async def tick(self, move_s: float = 60.0) -> None:
        """Move the clock, do one round of the ticker, and wait until nothing runs."""
        self.bench.clock.move(move_s)
        await self.ticker.tick()
        while tasks := [task for kind in self.ticker._tasks.values() for task in kind]:
            await asyncio.wait(tasks)

    async def tasks(self, *, gone: bool = False) -> dict[str, HeartbeatTask]:
        found = await self.bench.db.read(lambda c: store.tasks(c, "default", gone=gone))
        return {task.title: task for task in found}

    async def results(self) -> list[HeartbeatResult]:
        return (await self.service.reader.history(None, 1000))[::-1]


def task_file(
    *tasks: str, name: str = "ops", cron: str | None = "* * * * *", user: str | None = "ann", more: str = ""
) -> str:
    head = [f"name: {name}"]
    head += [f'default_cron: "{cron}"'] if cron else []
    head += [f"user_id: {user}"] if user else []
    head += [more] if more else []
    return "\n".join(["---", *head, "---", "", *(tasks or (task(),))])


def task(name: str = "look", *fields: str, prompt: str = "Is all well?") -> str:
    return "\n".join([f"### {name}", *(f"- {field}" for field in fields), "", prompt, ""])


@asynccontextmanager
async def open_heartbeat_room(
    directory: Path,
    *,
    db: Database | None = None,
    model: Model | None = None,
    rules: tuple[Rule, ...] = (ALLOW,),
    private: tuple[str, ...] = (),
    ports: tuple[int, ...] = (80, 443),
    **settings: object,
) -> AsyncIterator[HeartbeatRoom]:
    folder = directory / "tasks"
    folder.mkdir(mode=0o755, exist_ok=True)
    checked = HeartbeatSettings.model_validate({"enabled": True, "tasks_dirs": [str(folder)], **settings})
    async with open_bench(directory, (), db=db) as bench:
        sandbox, outbox, stub = PlainSandbox(), Outbox(), StubAgent()
        files = FileToolSettings(allowed_paths=(str(directory),))
        web = WebToolSettings(
            allowed_domains=("127.0.0.1",), allowed_private_hosts=private, allowed_ports=ports, timeout_seconds=5
        )
        tools = ToolBox(
            (
                FileRead(files, home=str(directory), cwd=str(directory)),
                ShellExec(sandbox, (str(directory),), 30, str(directory)),
                WebFetch(web),
            )
        )
        bench.pipeline = replace(bench.pipeline, tools=tools, rules=_rules(rules, str(directory)))
        goals: GoalRunner = stub if model is None else goals_of(bench, model)
        service = HeartbeatService(
            db=bench.db,
            org="default",
            clock=bench.clock,
            audit=bench.audit,
            notifier=outbox,
            directories=(folder,),
            default_user=checked.default_user_id,
        )
        schedule = HeartbeatSchedule(
            settings=checked,
            db=bench.db,
            agent=goals,
            pipeline=bench.pipeline,
            notifier=outbox,
            clock=bench.clock,
        )
        player = Player(bench.db, "default", "n1", [schedule], _unrecorded, bench.clock)
        engine = InlineEngine("n1", player.bodies(), bench.clock)
        ticker = Ticker(bench.db, "default", "n1", player, engine, bench.clock)
        await ticker.begin()
        yield HeartbeatRoom(bench, folder, service, schedule, outbox, stub, ticker, player, sandbox)


def _rules(rules: tuple[Rule, ...], directory: str) -> RuleSet:
    roots = ToolRoots(files=(directory,), domains=("127.0.0.1",))
    return RuleSet(compile_rules(PolicySpec(roles=(RUNNER, VIEWER), rules=rules, tool_roots=roots)))


async def _unrecorded(_fire: Fire, _ended: Ended | None) -> None:
    return


def goals_of(bench: Bench, model: Model) -> GoalRunner:
    """Give the real agent loop over the test's model."""
    from akili_cli.bootstrap.goals import AgentGoals

    async def open_loop() -> AgentLoop:
        return AgentLoop(
            model=model,
            pipeline=bench.pipeline,
            history=None,
            knowledge=NoKnowledge(),
            settings=AgentSettings.model_validate({}),
            context_tokens=100_000,
            max_tokens=1000,
            timeout_s=10.0,
        )

    return AgentGoals(open_loop, bench.redactor)
