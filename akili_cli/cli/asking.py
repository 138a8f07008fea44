"""Puts one message to the agent and shows what happens: the answer on stdout, everything else on stderr."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from akili_cli.cli import render
from akili_cli.cli.card import straight, visible
from akili_cli.cli.facts import present_text
from akili_cli.cli.opening import opened_app, principal
from akili_cli.cli.plans import Present, no_present, plan_lines
from akili_cli.core.agent.report import RunReport
from akili_cli.domain.calls import Principal, Run, Source, Status
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.events import Emit, Event
from akili_cli.domain.ids import new_correlation_id, new_uuid
from akili_cli.domain.messages import TextBlock

Output = Literal["text", "json", "jsonl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything ``akili query`` was given. ``attachments`` are (label, text) pairs of untrusted text."""

    message: str
    attachments: tuple[tuple[str, str], ...] = ()
    conversation_id: str | None = None
    go_on: bool = False
    autonomous: bool = False
    read_only: bool = False
    plan: bool = False
    max_cost_usd: float | None = None
    max_steps: int | None = None
    stream: bool = False
    timeout_s: float = 300.0
    output: Output = "text"
    runbook: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()


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
    show, finished = _watcher(question), False

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


def tell_unbegun(output: Output) -> None:
    """Tell a program that its run was interrupted before it began; a person is told at the end of the command."""
    why = "interrupted before the run began"
    report = RunReport(Status.INTERRUPTED, "", new_correlation_id(), new_uuid(), error=why)
    event = Event("run.finished", report.as_dict())
    match output:
        case "json":
            _print_json_at_end(event)
        case "jsonl":
            _print_event(event)
        case "text":
            pass


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


def _watcher(question: Question) -> Emit:
    match question.output:
        case "jsonl":
            return _print_event
        case "json":
            return _print_json_at_end
        case "text":
            return TextWatcher(stream=question.stream)


def _print_event(event: Event) -> None:
    render.event_line({"event": event.name, **event.data})


def _print_json_at_end(event: Event) -> None:
    if event.name == "run.finished":
        render.out_json(event.data)


class TextWatcher:
    """Shows a run to a person: steps on stderr as they happen, the answer on stdout."""

    def __init__(self, *, stream: bool) -> None:
        """Print text as it arrives, or the whole answer at the end."""
        self._stream = stream
        self._streamed = False
        self.present: Present = no_present

    def __call__(self, event: Event) -> None:
        """Show one event."""
        data = event.data
        match event.name:
            case "text" if self._stream:
                self._streamed = True
                render.raw_out(str(data["text"]))
            case "notice":
                render.talk(str(data["text"]), "dim")
            case "tool.intent":
                render.talk(f"-> {data['tool']} {brief(data['arguments'])}", "dim")
            case "plan":
                self._plan(data)
            case "tool.result" if data["status"] not in ("ok", "planned"):
                render.talk(f"   {data['status']}: {_first_line(str(data['text']))}", "yellow")
            case "run.finished":
                self._finish(data)
            case _:
                pass

    def _plan(self, plan: Mapping[str, object]) -> None:
        for line in plan_lines(plan, self.present):
            render.out(line)
        if plan["steps"]:
            render.talk(f"apply exactly this with: akili approvals approve {plan['id']}  [--only 1,2]")

    def _finish(self, data: object) -> None:
        assert isinstance(data, dict)
        if self._streamed:
            render.raw_out("\n")
        elif data["answer"]:
            render.out_markdown(str(data["answer"]))
        for denial in data["denials"]:
            render.talk(f"refused: {str(denial['because']).removeprefix('Refused: ')}", "red")
        for waiting in data["approvals"]:
            short, what = waiting["short_id"], f"{waiting['tool']} {brief(waiting['arguments'])}"
            render.talk(f"waiting for approval {short} ({waiting['risk']}): {what}", "yellow")
            rest = f"; akili approvals approve {short}" if is_whole(waiting["arguments"]) else " shows it whole"
            render.talk(f"  akili approvals show {short}{rest}")
        if data["error"]:
            render.talk(f"{data['status']}: {data['error']}", "red")
        render.talk(_facts(data), "dim")


def _facts(data: dict[str, object]) -> str:
    usage = data["usage"]
    assert isinstance(usage, dict)
    tokens = usage["input_tokens"] + usage["output_tokens"]
    cost = "unpriced" if data["cost_usd"] is None else f"${data['cost_usd']:.4f}"
    parts = [f"correlation_id={data['correlation_id']}", f"tokens={tokens}", f"cost={cost}"]
    if data["conversation_id"]:
        parts.insert(1, f"conversation_id={data['conversation_id']}")
    return f"[{' '.join(parts)}]"


def _first_line(text: str) -> str:
    """Give the first line that says something, without the status word it may begin with."""
    lines = (line.strip() for line in text.splitlines())
    said = next((line for line in lines if line and not (line.startswith("[") and line.endswith("]"))), "")
    return said.removeprefix("Refused: ").removeprefix("Invalid: ")


def is_whole(arguments: object) -> bool:
    """Tell whether ``brief`` shows everything of a call as it is; what was cut or hidden is not offered for a yes."""
    if not isinstance(arguments, dict) or len(arguments) != 1:
        return False
    (value,) = arguments.values()
    return isinstance(value, str) and brief(arguments) == value == visible(value)


def brief(arguments: object) -> str:
    """Give one line of a call's arguments for the trace; the card shows them whole."""
    if not isinstance(arguments, dict):
        return ""
    chosen = next((str(arguments[k]) for k in ("command", "path", "url", "repo_path") if k in arguments), None)
    text = json.dumps(arguments, default=str) if chosen is None else chosen
    line = straight(" ".join(text.split()))
    return line if len(line) <= 100 else line[:97] + "..."
