"""Shows a run: the answer on stdout, everything else on stderr, or all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from akili_cli.cli import render
from akili_cli.cli.card import straight, visible
from akili_cli.cli.plans import Present, no_present, plan_lines
from akili_cli.cli.question import Output, Question
from akili_cli.domain.calls import Status
from akili_cli.domain.events import Emit, Event


def watcher(question: Question) -> Emit:
    """Give what shows a run the way that was asked for."""
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


def tell_unbegun(output: Output) -> None:
    """Tell a program that its run was interrupted before it began; a person is told at the end of the command."""
    from akili_cli.core.agent.report import RunReport
    from akili_cli.domain.ids import new_correlation_id, new_uuid

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
