"""A place to try policy in earnest: the real pipeline over a workspace of its own, with tools that do nothing."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from akili_cli.adapters.llm.settings import ProvidersSettings
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.organizations import DEFAULT_ORGANIZATION, open_organization
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.app import App, Start, State, open_app
from akili_cli.bootstrap.policy import role_finder, world_of
from akili_cli.bootstrap.probes import Places
from akili_cli.bootstrap.rehearsal import tools_in
from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.bootstrap.secrets import open_secrets
from akili_cli.config.lines import Loaded
from akili_cli.config.paths import Workspace, home_of, open_workspace
from akili_cli.config.settings import RunbooksSettings, Settings
from akili_cli.core.agent.settings import AgentSettings, MemorySettings
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.core.tools.base import Tool, ToolArgs
from akili_cli.core.tools.builtin.sandbox_probe import SandboxProbe
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import ToolOutput, call_digest
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.decisions import Permit, Verdict
from akili_cli.domain.effects import Effects

Rewire = Callable[[Tool[Any]], Tool[Any]]
_PRIMERS = (
    Asked(tool="shell_exec", arguments={"command": "uptime"}),
    Asked(tool="shell_exec", arguments={"command": "id"}),
    Asked(tool="web_fetch", arguments={"url": "https://example.com/"}),
)


class ShiftedClock(SystemClock):
    """The machine's clock, moved by ``shift_s`` seconds."""

    def __init__(self) -> None:
        """Start at the machine's time."""
        self.shift_s = 0.0

    def now(self) -> float:
        """Give seconds since the epoch, moved."""
        return super().now() + self.shift_s


@dataclass(slots=True)
class Executions:
    """What the tools were told to do: how often, and with permits that a denial should have kept from existing.

    Calls whose digest is in ``tainting`` answer with text that came from outside.
    """

    count: int = 0
    denied: list[str] = field(default_factory=list)
    tainting: set[str] = field(default_factory=set)


class InertTool:
    """A tool in everything but the deed."""

    def __init__(self, tool: Tool[Any], executions: Executions) -> None:
        """Take over what the tool declares."""
        self._tool = tool
        self._executions = executions
        self.name = tool.name
        self.permission = tool.permission
        self.summary = tool.summary
        self.risk = tool.risk
        self.read_only = tool.read_only
        self.idempotent = tool.idempotent
        self.Args = tool.Args
        self._declared: dict[str, Effects] = {}

    def effects(self, args: ToolArgs) -> Effects:
        """Declare what the tool itself declares; each call is looked at once."""
        key = args.model_dump_json()
        if key not in self._declared:
            self._declared[key] = self._tool.effects(args)
        return self._declared[key]

    async def run(self, _args: ToolArgs, permit: Permit) -> ToolOutput:
        """Do nothing, and remember that it was asked for."""
        self._executions.count += 1
        if permit.decision.verdict is Verdict.DENY:
            self._executions.denied.append(permit.tool)
        return ToolOutput("nothing was done", untrusted="probe" if permit.digest in self._executions.tainting else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where probes are sent. ``judge`` decides as the pipeline would; ``repository`` is a git one of its own."""

    app: App
    judge: Judge
    places: Places
    clock: ShiftedClock
    executions: Executions

    def primer(self, asked: Asked) -> Asked | None:
        """Give a call that runs at once for whoever makes the probe, and whose answer counts as outside text."""
        path = f"{self.places.cwd}/akili-primer"
        for call in (*_PRIMERS, Asked(tool="file_read", arguments={"path": path})):
            mine = replace(
                asked, tool=call.tool, arguments=call.arguments, untrusted=(), read_only=False, autonomous=False
            )
            if self.judge.decide(mine).verdict is Verdict.ALLOW:
                digest = call_digest(mine.run().principal, mine.tool, mine.arguments)
                self.executions.tainting.add(digest)
                return mine
        return None


@asynccontextmanager
async def open_ground(
    start: Start, loaded: Loaded, real: Workspace, *, rewire: Rewire | None = None
) -> AsyncIterator[Ground]:
    """Open a ground for the policy of ``loaded``; the real workspace is only protected, never opened.

    ``rewire`` changes tools before they are disarmed. Raises ``ConfigError`` like ``open_app``.
    """
    with tempfile.TemporaryDirectory(prefix="akili-prove-") as directory:
        root = _resolved(directory)
        env = {**start.env, "AKILI_WORKSPACE": str(root / "workspace")}
        start = Start(env=env, cwd=start.cwd, config_path=start.config_path)
        workspace, clock = open_workspace(env), ShiftedClock()
        db = await open_sqlite(workspace.db)
        try:
            settings, redactor = _calm(loaded.settings), Redactor()
            state = State(
                start=start,
                workspace=workspace,
                home=home_of(env),
                loaded=replace(loaded, settings=settings, files=(*loaded.files, real.root)),
                db=db,
                clock=clock,
                redactor=redactor,
                secrets=open_secrets(settings, env, workspace, redactor),
                org=await open_organization(db, DEFAULT_ORGANIZATION, clock.now()),
            )
            async with open_app(state) as app:
                yield _disarmed(app, Places(_repository(root), str(start.cwd)), clock, rewire)
        finally:
            await db.close()


def _resolved(directory: str) -> Path:
    return Path(directory).resolve()


def _calm(settings: Settings) -> Settings:
    """Keep what policy reads, and leave the rest at its defaults: no model, no other database, no limits in the way."""
    return settings.model_copy(
        update={
            "storage": type(settings.storage)(),
            "secrets": type(settings.secrets)(),
            "providers": ProvidersSettings.model_validate({}),
            "budget": BudgetSettings.model_validate({}),
            "approval": ApprovalSettings.model_validate({}),
            "agent": AgentSettings.model_validate({}),
            "memory": MemorySettings.model_validate({"enabled": False}),
            "runbooks": RunbooksSettings.model_validate({}),
        }
    )


def _repository(root: Path) -> str:
    """Make a git repository that the user commands run as may write to, whoever that is."""
    git = root / "repository" / ".git"
    for name in ("objects", "refs"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n", encoding="ascii")
    for path in (git.parent, *git.parent.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    root.chmod(0o711)
    return str(git.parent)


def _disarmed(app: App, places: Places, clock: ShiftedClock, rewire: Rewire | None) -> Ground:
    executions = Executions()
    tools = app.pipeline.tools
    offered = {spec.name for spec in tools.specs()}
    longest = app.state.loaded.settings.sandbox.max_execution_seconds
    every = [*tools_in(tools), SandboxProbe(app.sandbox, longest, str(app.state.home))]
    inert = [_inert(tool, executions, rewire) for tool in every]
    box = ToolBox(
        [tool for tool in inert if tool.name in offered], unoffered=[tool for tool in inert if tool.name not in offered]
    )
    app.pipeline = replace(app.pipeline, tools=box)
    world = world_of(app.state.loaded, box)
    judge = Judge(box, app.pipeline.rules, role_finder(app.state.loaded), clock.now, world)
    return Ground(app=app, judge=judge, places=places, clock=clock, executions=executions)


def _inert(tool: Tool[Any], executions: Executions, rewire: Rewire | None) -> Any:  # noqa: ANN401  # class fields
    return InertTool(tool if rewire is None else rewire(tool), executions)
