"""Shows one run at the prompt, and keeps its steps for ``/show`` and ``/last``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

from akili_cli.cli import render
from akili_cli.cli.repl_markdown import MarkdownStream, PlainStream
from akili_cli.cli.watching import brief
from akili_cli.domain.events import Event

MIN_COLUMNS = 20


def columns() -> int:
    """Give the width of the terminal."""
    return max(MIN_COLUMNS, shutil.get_terminal_size().columns)


def open_stream() -> MarkdownStream | PlainStream:
    """Give the way answers are shown here: rendered in colour, else as they come."""
    return MarkdownStream() if sys.stdout.isatty() and render.has_color(sys.stdout) else PlainStream()


class RunView:
    """Watches one run: the answer streams to stdout, steps and refusals go to stderr."""

    def __init__(self) -> None:
        """Start with nothing seen. ``steps`` are numbered from 1; ``report`` is the object of ``--json``."""
        self.conversation: str | None = None
        self.steps: list[dict[str, object]] = []
        self.report: Mapping[str, object] = {}
        self._stream = open_stream()
        self._numbers: dict[str, int] = {}
        self._said = ""
        self._gap = False

    @property
    def answer(self) -> str:
        """The run's answer so far."""
        return str(self.report.get("answer") or self._said)

    def close(self) -> None:
        """Leave no moving part on the screen, however the run ended."""
        self._stream.finish()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        data = event.data
        match event.name:
            case "run.started":
                found = data["conversation_id"]
                self.conversation = found if isinstance(found, str) else None
                self._stream.wait("thinking ... (Ctrl-C stops)")
            case "text":
                if self._gap:
                    self._stream.finish()
                    render.talk("")
                    self._gap = False
                self._said += str(data["text"])
                self._stream.feed(str(data["text"]))
            case "tool.intent":
                self._stream.finish()
                self._intent(data)
            case "tool.result":
                self._stream.finish()
                self._result(data)
            case "run.finished":
                self._stream.finish()
                self._finish(data)
            case _:
                pass

    def _intent(self, data: Mapping[str, object]) -> None:
        self._gap = True
        self.steps.append(dict(data))
        self._numbers[str(data["call_id"])] = len(self.steps)
        head = f"[{len(self.steps)}] {data['tool']} "
        render.talk(head + render.fitting(brief(data["arguments"]), columns() - len(head)), "dim")

    def _result(self, data: Mapping[str, object]) -> None:
        self._said = ""
        number = self._numbers.get(str(data["call_id"]), len(self.steps))
        if number:
            self.steps[number - 1] |= data
        if data["status"] != "ok":
            text = str(data["text"]).removeprefix("[stderr]").strip()
            head = f"[{number}] {data['status']}: "
            style = "dim" if data["status"] == "failed" else "yellow"
            render.talk(head + render.fitting(text.split("\n")[0], 3 * columns() - len(head)), style)
        if len(self.steps) == len(self._numbers) and all("status" in step for step in self.steps):
            self._stream.wait("thinking ... (Ctrl-C stops)")

    def _finish(self, data: Mapping[str, object]) -> None:
        self.report = data
        answer = str(data["answer"] or "")
        if answer.strip() and not self._said.strip() and data["status"] == "ok":
            render.out_markdown(answer)
        elif answer.endswith("[cut off by the output limit]"):
            render.talk("the answer was cut off by the output limit", "yellow")
        waiting = data["approvals"]
        assert isinstance(waiting, list)
        for one in waiting:
            what = render.fitting(f"{one['tool']} {brief(one['arguments'])}", columns())
            render.talk(f"waiting for approval {one['id'][:8]} ({one['risk']}): {what}", "yellow")
            render.talk(f"  /approve {one['id'][:8]} shows it and asks; /deny {one['id'][:8]} refuses it")
        if data["status"] == "interrupted":
            return
        if data["error"]:
            render.talk(f"{data['status']}: {data['error']}", "red")
        render.talk(facts_line(data) + "\n", "dim")


def facts_line(report: Mapping[str, object]) -> str:
    """Give steps, tokens and cost of a finished run in a few words."""
    steps, usage, cost = report["steps"], report["usage"], report["cost_usd"]
    assert isinstance(steps, list)
    assert isinstance(usage, dict)
    tokens = usage["input_tokens"] + usage["output_tokens"]
    parts = [f"{len(steps)} step{'' if len(steps) == 1 else 's'}"] if steps else []
    parts += [f"{tokens:,} tokens"] if tokens else []
    parts += [f"${cost:.4f}" if isinstance(cost, float) else "unpriced"]
    return f"[{', '.join([*parts, str(report['correlation_id'])])}]"
