"""``akili sandbox``: try what commands can and cannot do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_coroutine
from akili_cli.domain.calls import Principal, StepResult
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.core.execution.pipeline import Pipeline

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Try what commands can and cannot do."
)


@app.callback()
def sandbox() -> None:
    """Keep ``run`` a command of its own."""


@app.command(
    help="Run a command in the sandbox, as any call: policy rules on it, approvals apply, the audit holds it.\n\n"
    "It starts in a fresh directory. Grants reach no further than policy allows. Exit code: 0 done, 1 failed, "
    "2 refused or waiting for approval."
)
def run(
    command: list[str] = typer.Argument(..., metavar="-- CMD...", help="The command and its arguments."),
    read: list[str] = typer.Option([], "--read", help="Let it read this path; repeatable."),
    write: list[str] = typer.Option([], "--write", help="Let it change this path; repeatable."),
    net: list[str] = typer.Option([], "--net", metavar="HOST:PORT", help="Let it reach this host; repeatable."),
    timeout: str | None = typer.Option(None, "--timeout", help="Like 10s; at most sandbox.max_execution_seconds."),
    as_json: bool = typer.Option(False, "--json", help="Print layers, exit code and output as one JSON object."),
) -> None:
    """Run, print, exit."""
    arguments: dict[str, object] = {
        "argv": command,
        "read": [_absolute(path) for path in read],
        "write": [_absolute(path) for path in write],
        "net": net,
    }
    if timeout is not None:
        arguments["timeout"] = timeout
    raise typer.Exit(run_coroutine(_run(arguments, as_json)))


def _absolute(path: str) -> str:
    if "\0" in path:
        raise UsageError("a path holds a NUL character")
    try:
        return str(Path(path).expanduser().absolute())
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path!r} cannot be made absolute: {error}") from error


async def attempt(pipeline: Pipeline, arguments: Mapping[str, object], me: Principal) -> StepResult:
    """Put a person's own command through a pipeline that has the tool for it, as a run of its own."""
    from akili_cli.domain.calls import Run, ToolCall
    from akili_cli.domain.ids import new_correlation_id, new_uuid

    work = Run(id=new_uuid(), principal=me, correlation_id=new_correlation_id())
    return await pipeline.run(ToolCall(new_uuid(), "sandbox_probe", arguments), work, reason="akili sandbox run")


async def _run(arguments: dict[str, object], as_json: bool) -> int:
    import dataclasses

    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.exits import EXIT_CODES
    from akili_cli.core.tools.builtin.sandbox_probe import SandboxProbe
    from akili_cli.core.tools.toolbox import ToolBox

    asker = None
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not as_json:
        from akili_cli.cli.prompt import TerminalAsker

        asker = TerminalAsker()
    async with opened_app(asker) as app_:
        if asker is not None:
            asker.app = app_
        longest = app_.state.loaded.settings.sandbox.max_execution_seconds
        probe = SandboxProbe(app_.sandbox, longest, str(app_.state.home))
        pipeline = dataclasses.replace(app_.pipeline, tools=ToolBox((), unoffered=(probe,)))
        step = await attempt(pipeline, arguments, principal())
        layers = app_.sandbox.layers()
    if as_json:
        missing = {
            one.name: {"why": one.detail, "fix": one.fix} if not one.active else {"why": "not with this permit"}
            for one in layers
            if one.name not in step.layers and "exit_code" in step.metadata
        }
        render.out_json(_as_dict(step) | {"layers": list(step.layers), "missing": missing})
    else:
        _show(step)
    return EXIT_CODES[step.status]


def _as_dict(step: StepResult) -> dict[str, object]:
    ran = "exit_code" in step.metadata
    return {
        "status": step.status,
        "audit_id": step.audit_id,
        "approval_id": step.approval_id,
        "why": None if ran else step.text,
        "exit_code": step.metadata.get("exit_code"),
        "timed_out": step.metadata.get("timed_out", False),
        "truncated": step.metadata.get("truncated", False),
        "stdout": step.text if ran else "",
        "stderr": step.metadata.get("stderr", ""),
    }


def _show(step: StepResult) -> None:
    if "exit_code" not in step.metadata:
        render.talk(step.text, "red")
        return
    if step.text:
        render.out(step.text.removesuffix("\n"))
    if errors := str(step.metadata.get("stderr", "")).removesuffix("\n"):
        render.talk(errors)
    ending = "timed out" if step.metadata.get("timed_out") else f"exit code {step.metadata['exit_code']}"
    render.talk(f"{ending}; layers: {', '.join(step.layers) or 'none'}", "dim")
