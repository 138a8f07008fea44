"""``akili query``: one question, one answer, an exit code that scripts can trust."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import Terminated
from akili_cli.cli.boundary import run as run_coroutine
from akili_cli.cli.remote import KEY, URL, chosen
from akili_cli.core.agent.exits import DETAILED_EXIT_CODES, EXIT_CODES
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.cli.question import Question

app = typer.Typer(add_completion=False, rich_markup_mode=None)
MAX_ATTACHED_BYTES = 1_048_576
READ_BYTES = 65_536
SILENT_STDIN_S = 5.0


@app.command(
    help="Ask one question and print the answer.\n\nPiped input is attached as untrusted context; -m - reads the "
    "question itself from it. Exit code: 0 done, 1 failed, 2 refused or waiting for approval, 130 interrupted; "
    "3 when the gateway that was to be asked cannot be reached."
)
def query(
    message: str = typer.Option(..., "--message", "-m", help="What to ask; - reads it from standard input."),
    file: list[Path] = typer.Option([], "--file", "-f", help="Attach a file as untrusted context; repeatable."),
    conversation_id: str | None = typer.Option(None, "--conversation-id", help="Go on with this conversation."),
    go_on: bool = typer.Option(False, "--continue", help="Go on with the latest conversation."),
    stream: bool = typer.Option(False, "--stream", help="Print the answer as it arrives."),
    autonomous: bool = typer.Option(False, "--autonomous", help="No approvals, if the role may; critical still asks."),
    plan: bool = typer.Option(False, "--plan", help="Collect what would change anything as a plan to approve."),
    read_only: bool = typer.Option(False, "--read-only", help="Refuse everything that changes anything."),
    max_cost: float | None = typer.Option(None, "--max-cost", help="Stop before this run costs more (USD)."),
    max_steps: int | None = typer.Option(None, "--max-steps", help="Tool calls this run may make."),
    timeout: float = typer.Option(300.0, "--timeout", help="Seconds until the run is ended."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    as_jsonl: bool = typer.Option(False, "--jsonl", help="Print one JSON event a line, as it happens."),
    detailed: bool = typer.Option(
        False, "--detailed-exitcode", help="10 approval, 11 denied, 12 budget, 13 timeout instead of 2 and 1."
    ),
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Ask, print, exit."""
    from akili_cli.cli.question import Output, Question
    from akili_cli.cli.watching import tell_unbegun

    gateway = chosen(gateway_url, api_key)
    output: Output = "json" if as_json else "jsonl" if as_jsonl else "text"
    if as_json and as_jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    if go_on and conversation_id is not None:
        raise UsageError("--continue and --conversation-id exclude each other")
    if not timeout > 0 or timeout > 86_400:
        raise UsageError("--timeout must be more than 0 and at most 86400 seconds")
    if max_cost is not None and not 0 < max_cost < 1e9:
        raise UsageError("--max-cost must be more than 0")
    if max_steps is not None and not 1 <= max_steps <= 10_000:
        raise UsageError("--max-steps must be between 1 and 10000")
    try:
        piped = _piped_input(timeout if message == "-" else SILENT_STDIN_S, timeout)
    except (KeyboardInterrupt, Terminated):
        tell_unbegun(output)
        raise
    if message == "-":
        if piped is None:
            raise UsageError("-m - reads the message from standard input, and nothing was piped in")
        message, piped = piped, None
    if not message.strip():
        raise UsageError("the message is empty")
    question = Question(
        message=message,
        attachments=(*_attached(file), *([("stdin", piped)] if piped else [])),
        conversation_id=conversation_id,
        go_on=go_on,
        autonomous=autonomous,
        read_only=read_only,
        plan=plan,
        max_cost_usd=max_cost,
        max_steps=max_steps,
        stream=stream,
        timeout_s=timeout,
        output=output,
    )
    raise typer.Exit((DETAILED_EXIT_CODES if detailed else EXIT_CODES)[_answered(question, gateway)])


def _answered(question: Question, gateway: Gateway | None) -> Status:
    """Ask where it was chosen; only one of the two sides is imported."""
    if gateway is None:
        from akili_cli.cli.asking import ask

        return run_coroutine(ask(question)).status
    from akili_cli.cli.asking_gateway import ask_gateway

    return run_coroutine(ask_gateway(question, gateway))


def _piped_input(first_byte_s: float, whole_s: float) -> str | None:
    """Read what was piped in, bounded; a terminal, a closed or an empty standard input is nothing.

    A pipe that stays silent for ``first_byte_s`` seconds is left alone: it may be one that nobody ever closes. One
    that speaks must end within ``whole_s`` seconds, or ``UsageError`` says so.
    """
    from akili_cli.domain.clock import SystemClock

    clock, data = SystemClock(), b""
    ends_at = clock.monotonic() + whole_s
    try:
        if sys.stdin is None or sys.stdin.isatty():
            return None
        if not select.select([sys.stdin], [], [], first_byte_s)[0]:
            render.talk(f"standard input stayed silent for {first_byte_s:g} s and was ignored", "yellow")
            return None
        while len(data) <= MAX_ATTACHED_BYTES:
            if not select.select([sys.stdin], [], [], max(ends_at - clock.monotonic(), 0))[0]:
                raise UsageError(f"standard input did not end within {whole_s:g} s", hint="close it: < /dev/null")
            piece = os.read(sys.stdin.fileno(), READ_BYTES)
            if not piece:
                break
            data += piece
    except (OSError, ValueError):
        return None
    if len(data) > MAX_ATTACHED_BYTES:
        raise UsageError("standard input holds more than 1 MiB", hint="send a part of it: ... | tail -c 100000")
    text = data.decode("utf-8", "replace")
    return text if text.strip() else None


def _attached(files: list[Path]) -> list[tuple[str, str]]:
    attached = []
    for path in files:
        try:
            data = _head(path) if path.is_file() else None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        if data is None:
            raise UsageError(f"there is no file {path}")
        if len(data) > MAX_ATTACHED_BYTES:
            raise UsageError(f"{path} holds more than 1 MiB")
        attached.append((f"file {path}", data.decode("utf-8", "replace")))
    return attached


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_ATTACHED_BYTES + 1)
