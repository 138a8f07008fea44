"""Puts one message to the agent of this machine and shows what happens."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from akili_cli.cli import render
from akili_cli.cli.facts import present_text
from akili_cli.cli.opening import opened_app, principal
from akili_cli.cli.question import Question
from akili_cli.cli.watching import TextWatcher, tell_unbegun, watcher
from akili_cli.core.agent.report import RunReport
from akili_cli.domain.calls import Principal, Run, Source
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.events import Emit, Event
from akili_cli.domain.ids import new_correlation_id, new_uuid
from akili_cli.domain.messages import TextBlock


def run_of(question: Question, me: Principal, conversation: str | None) -> Run:
    """Begin the run that answers a question."""
    return Run(
        id=new_uuid(),
        principal=me,
        correlation_id=new_correlation_id(),
        conversation_id=conversation,
        autonomous=question.autonomous,
        read_only=question.read_only,
        plan=question.plan,
        max_cost_usd=question.max_cost_usd,
    )


async def ask(question: Question) -> RunReport:
    """Run the question to its end and print as asked; raises what akili itself cannot work with."""
    show, finished = watcher(question), False

    def emit(event: Event) -> None:
        nonlocal finished
        finished = finished or event.name == "run.finished"
        show(event)

    try:
        return await _ask(question, emit, show)
    except asyncio.CancelledError:
        if not finished:
            tell_unbegun(question.output)
        raise


async def _ask(question: Question, emit: Emit, show: Emit) -> RunReport:
    overrides: dict[str, object] = {}
    if question.max_steps is not None:
        overrides["agent.max_steps"] = question.max_steps
    interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and question.output == "text"
    asker = None
    if interactive:
        from akili_cli.cli.prompt import TerminalAsker

        asker = TerminalAsker()
    async with opened_app(asker, overrides) as app:
        if asker is not None:
            asker.app = app
        if isinstance(show, TextWatcher):
            show.present = partial(present_text, app.state)
        loop = await app.loop(runbook=question.runbook, inputs=dict(question.inputs))
        me = principal(Source.CLI)
        conversation = question.conversation_id
        if question.go_on:
            conversation = await app.history.latest(me.user) if app.history is not None else None
            if conversation is None:
                raise NotFoundError("there is no conversation to go on with")
        run = run_of(question, me, conversation)
        for notice in app.notices:
            render.talk(notice, "dim")
        return await loop.run(
            question.message,
            run,
            attachments=tuple(TextBlock(text, untrusted=label) for label, text in question.attachments),
            emit=emit,
            timeout_s=question.timeout_s,
        )
