"""Puts one message to a gateway and shows what happens exactly as if it happened here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, get_args

from akili_cli.adapters.net.gateway import Frame, Gateway
from akili_cli.cli import render
from akili_cli.cli.question import Question
from akili_cli.cli.remote import read_from
from akili_cli.cli.watching import tell_unbegun, watcher
from akili_cli.core.agent.exits import EXIT_CODES
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import AkiliError, NotFoundError
from akili_cli.domain.events import Emit, Event, EventName

STOP_S = 5.0
ANSWER_MARGIN_S = 30.0
MAX_LABEL_CHARS = 200
_EVENTS: Mapping[object, EventName] = {name: name for name in get_args(EventName)}
_ADDED: Mapping[str, tuple[str, ...]] = {
    "text": ("content",),
    "tool.result": ("success",),
    "approval.requested": ("approval_id", "action", "risk_level", "message"),
}
"""What a stream says beside the event itself."""


async def ask_gateway(question: Question, gateway: Gateway) -> Status:
    """Ask, print as asked, and give how it ended; raises what the gateway answered instead.

    1. A call that a person must approve is put to whoever sits at this terminal; without a terminal it goes on
    waiting at the gateway, and this ends. 2. Ctrl-C asks the gateway to end the run. 3. A run that the stream called
    failed never ends as ``ok``.
    """
    asked = _Asked(question, gateway, watcher(question))
    try:
        return await asked.answered()
    except asyncio.CancelledError:
        await asked.stop()
        raise


@dataclass(slots=True)
class _Asked:
    question: Question
    gateway: Gateway
    show: Emit
    run_id: str = ""
    correlation_id: str = ""
    conversation_id: str | None = None
    last: int = 0
    status: Status | None = None
    failed: str | None = None
    limit: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))
    steps: list[dict[str, Any]] = field(default_factory=list)

    async def answered(self) -> Status:
        body = await self._body()
        try:
            async with asyncio.timeout(self._left_s) as self.limit:
                return await self._asked(body)
        except TimeoutError:
            message = f"{self.gateway.name} did not end the run within {self._left_s:g} s"
            raise AkiliError(message, hint=f"it may go on: GET /v1/runs/{self.run_id}") from None

    @property
    def _left_s(self) -> float:
        return self.question.timeout_s + ANSWER_MARGIN_S

    async def _asked(self, body: dict[str, object]) -> Status:
        try:
            return await self._followed(self.gateway.ask(body))
        except NotFoundError:
            if self.run_id:
                raise
        return await self._whole(body)

    async def stop(self) -> None:
        """Ask for the end of the run and show it; what cannot be stopped in time is said."""
        if self.status is not None:
            return
        if not self.run_id:
            tell_unbegun(self.question.output)
            render.talk("if the gateway had begun a run already, it goes on: GET /v1/runs", "dim")
            return
        try:
            async with asyncio.timeout(STOP_S):
                await self.gateway.post(f"/v1/runs/{self.run_id}/stop")
                await self._followed(self.gateway.follow(self.run_id, self.last), rule=False)
        except (AkiliError, TimeoutError) as error:
            render.talk(f"the gateway was asked to stop the run {self.run_id}, and did not say that it did", "yellow")
            if isinstance(error, AkiliError):
                render.talk(str(error))
        if self.status is None:
            self._show_report(Status.INTERRUPTED, "interrupted; the gateway did not say that it stopped the run")

    async def _body(self) -> dict[str, object]:
        asked = self.question
        conversation = asked.conversation_id
        if asked.go_on:
            with read_from(self.gateway):
                newest = await self.gateway.rows("/v1/conversations", limit=1)
                conversation = str(newest[0]["id"]) if newest else None
            if conversation is None:
                raise NotFoundError("there is no conversation to go on with")
        attachments = [{"label": _fitting(label), "text": text} for label, text in asked.attachments]
        body: dict[str, object | None] = {
            "message": asked.message,
            "conversation_id": conversation,
            "attachments": attachments or None,
            "autonomous": asked.autonomous or None,
            "read_only": asked.read_only or None,
            "plan": asked.plan or None,
            "max_cost_usd": asked.max_cost_usd,
            "max_steps": asked.max_steps,
            "timeout_seconds": asked.timeout_s,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _followed(self, frames: AsyncGenerator[Frame, None], *, rule: bool = True) -> Status:
        async with aclosing(frames) as going:
            async for frame in going:
                self.last = frame.number or self.last
                event = self._event(frame)
                if event is None:
                    continue
                self.show(event)
                if event.name == "approval.requested" and rule and not await self._ruled(event.data):
                    return self._waits([event.data])
        assert self.status is not None  # a stream ends with `done`, or raises
        return self.status

    def _event(self, frame: Frame) -> Event | None:
        """Give what happened as it would be told here; None for what only streams have."""
        data, name = frame.data, _EVENTS.get(frame.data.get("event"))
        if frame.name == "error":
            self.failed = str(data.get("content") or "the run failed")
        elif frame.name == "gap":
            render.talk("the gateway no longer has what happened before this", "yellow")
        elif frame.name == "done":
            return self._finished(data.get("run"))
        elif name is not None and name != "run.finished":
            left = {"type", "event", *_ADDED.get(name, ())}
            told = {key: value for key, value in data.items() if key not in left}
            self._keep(name, told)
            return Event(name, told)
        return None

    def _keep(self, name: str, told: dict[str, Any]) -> None:
        if name == "run.started":
            self._ids(told)
        elif name == "tool.result":
            self.steps.append({key: value for key, value in told.items() if key != "text"})

    def _ids(self, told: Mapping[str, Any]) -> None:
        self.run_id = str(told.get("run_id") or self.run_id)
        self.correlation_id = str(told.get("correlation_id") or self.correlation_id)
        conversation = told.get("conversation_id")
        self.conversation_id = None if conversation is None else str(conversation)

    def _finished(self, run: object) -> Event:
        if not isinstance(run, dict) or run.get("schema") != "akili.run/1" or run.get("status") not in set(Status):
            raise AkiliError(f"{self.gateway.name} ended the run without its report")
        self.status = Status(run["status"])
        if self.failed is not None and EXIT_CODES[self.status] == 0:
            self.status = Status.FAILED
            run = {**run, "status": str(self.status), "error": run.get("error") or self.failed}
        return Event("run.finished", run)

    async def _whole(self, body: dict[str, object]) -> Status:
        """Ask without a stream: this gateway has none."""
        if self.question.stream or self.question.output == "jsonl":
            render.talk("this gateway does not stream (gateways.http.sse): the answer comes as a whole", "yellow")
        reply = await self.gateway.send("POST", "/v1/query", body=body, answer_s=self._left_s)
        told = reply.body if isinstance(reply.body, dict) else {}
        if isinstance(told.get("run"), dict):
            self.show(self._finished(told["run"]))
            assert self.status is not None
            return self.status
        if reply.status != 202 or not isinstance(told.get("approvals"), list):
            raise self.gateway.error(reply)
        self._ids(told)
        cards = told["approvals"]
        for card in cards:
            self.show(Event("approval.requested", card))
            if not await self._ruled(card):
                return self._waits(cards)
        return await self._followed(self.gateway.follow(self.run_id))

    async def _ruled(self, card: Mapping[str, Any]) -> bool:
        """Let the person at this terminal rule; False when there is none."""
        from akili_cli.cli.prompt import at_terminal

        if self.question.output != "text" or not at_terminal():
            return False
        from akili_cli.cli.ruling import rule_at_terminal

        self.limit.reschedule(None)  # a person takes the time that they need
        await rule_at_terminal(self.gateway, card)
        self.limit.reschedule(asyncio.get_running_loop().time() + self._left_s)
        return True

    def _waits(self, cards: list[Mapping[str, Any]]) -> Status:
        self._show_report(Status.APPROVAL_REQUIRED, "", cards)
        if self.question.output == "text":
            render.talk("the run goes on at the gateway as soon as somebody rules", "dim")
        return Status.APPROVAL_REQUIRED

    def _show_report(self, status: Status, error: str, cards: list[Mapping[str, Any]] | None = None) -> None:
        """Show the report of a run that this command leaves before its end."""
        from akili_cli.core.agent.report import RunReport

        report = RunReport(
            status,
            "",
            self.correlation_id,
            self.run_id,
            conversation_id=self.conversation_id,
            cards=tuple(cards or ()),
            error=error,
        )
        self.status = status
        self.show(Event("run.finished", {**report.as_dict(), "steps": self.steps}))


def _fitting(label: str) -> str:
    return label if len(label) <= MAX_LABEL_CHARS else "..." + label[3 - MAX_LABEL_CHARS :]
