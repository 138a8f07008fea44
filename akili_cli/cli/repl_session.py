"""One person's session at the prompt: the conversation under way, the mode, and what the last run did."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Literal, get_args

from akili_cli.bootstrap.app import App
from akili_cli.cli import render
from akili_cli.cli.prompt import TerminalAsker, quiet_keyboard
from akili_cli.cli.repl_view import RunView
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.domain.calls import Principal, Run
from akili_cli.domain.ids import new_correlation_id, new_uuid

Mode = Literal["ask", "read-only", "autonomous"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(slots=True, kw_only=True)
class Session:
    """What lasts from one line to the next. ``cost_usd`` is None once a model without a price was called."""

    app: App
    asker: TerminalAsker
    loop: AgentLoop
    me: Principal
    mode: Mode = "ask"
    conversation: str | None = None
    last: RunView | None = None
    runs: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    leaving: bool = False
    pending: tuple[str, ...] = field(default=())

    @property
    def uses_model(self) -> bool:
        """Whether a language model answers, and not the built-in runbooks."""
        return self.loop.model.provider != "builtin"

    @property
    def model_name(self) -> str:
        """The model's full name, or what stands in for one."""
        model = self.loop.model
        return f"{model.provider}/{model.model}" if self.uses_model else "no model, runbooks answer"

    @property
    def role(self) -> str:
        """The person's role."""
        return self.app.pipeline.role_of(self.me) or "no role"

    def run(self) -> Run:
        """Begin a run in this conversation and mode."""
        return Run(
            id=new_uuid(),
            principal=self.me,
            correlation_id=new_correlation_id(),
            conversation_id=self.conversation,
            autonomous=self.mode == "autonomous",
            read_only=self.mode == "read-only",
        )

    async def take(self, message: str) -> None:
        """Put a message to the agent and show the answer; raises what akili itself cannot work with."""
        view = RunView()
        try:
            await self.loop.run(message, self.run(), emit=view)
        finally:
            self.conversation = view.conversation or self.conversation
            self._keep(view)

    async def play(self, runbook: str, inputs: dict[str, object]) -> None:
        """Play one runbook and show its report; it is no part of the conversation."""
        loop = await self.app.loop(runbook=runbook, inputs=inputs)
        view = RunView()
        try:
            await loop.run(f"play the runbook {runbook}", self.run(), emit=view)
        finally:
            self._keep(view)

    def _keep(self, view: RunView) -> None:
        view.close()
        self.last = view
        self.runs += 1
        usage, cost = view.report.get("usage"), view.report.get("cost_usd", 0.0)
        if isinstance(usage, dict):
            self.tokens += usage["input_tokens"] + usage["output_tokens"]
        unknown = self.cost_usd is None or not isinstance(cost, float | int)
        self.cost_usd = None if unknown else (self.cost_usd or 0.0) + float(cost)  # type: ignore[arg-type]  # checked

    async def status_line(self) -> str:
        """Give role, mode, model, money left and what waits; also refreshes ``pending``."""
        waiting = await self.app.approvals.list(ApprovalStatus.PENDING)
        self.pending = tuple(approval.id[:8] for approval in waiting)
        budget = await self.app.pipeline.ledger.status(self.me.user)
        parts = [self.role, self.mode, render.safe(self.model_name), f"${budget.remaining_usd:.2f} left"]
        if waiting:
            parts.append(f"{len(waiting)} waiting for approval (/approvals)")
        return " | ".join(parts)


async def interruptible(work: Coroutine[object, object, None]) -> bool:
    """Do something that Ctrl-C ends, and only that; tell whether it came to its end. Typing stays off the screen."""
    task = asyncio.current_task()
    assert task is not None
    pressed: list[bool] = []

    def stop() -> None:
        if not pressed:
            pressed.append(True)
            task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        with quiet_keyboard():
            await work
    except asyncio.CancelledError:
        if not pressed or task.uncancel() > 0:
            raise
        return False
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return True
