"""What ``akili runbooks validate`` checks beyond the schema."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from akili_cli.domain.errors import ConfigError
from akili_cli.domain.nearest import nearest
from akili_cli.features.runbooks.inputs import SHELL_ARGUMENTS
from akili_cli.features.runbooks.model import Problem, Runbook
from akili_cli.features.runbooks.rehearsal import load_cases, recording_path
from akili_cli.features.runbooks.source import load_runbook

HEADINGS = ("purpose", "when to use", "procedure", "expected output", "escalation")


def check_runbook(path: Path, tools: Collection[str] | None) -> tuple[Problem, ...]:
    """Give everything wrong with one file; ``tools`` are the registered names, None when not known."""
    try:
        runbook = load_runbook(path)
    except ConfigError as error:
        return (from_error(error, path),)
    return (*_tools(runbook, tools), *_headings(runbook), *_recorded(runbook))


def from_error(error: ConfigError, path: Path) -> Problem:
    """Turn a refusal (``file:line: what``) into a problem."""
    text = str(error).removeprefix(f"{path}:").strip()
    number, found, rest = text.partition(":")
    if found and number.isascii() and number.isdigit():
        return Problem(str(path), int(number), "error", rest.strip())
    return Problem(str(path), None, "error", text)


def _tools(runbook: Runbook, tools: Collection[str] | None) -> list[Problem]:
    out: list[Problem] = []
    required = runbook.front.tools_required
    if tools is not None:
        out += [
            Problem(runbook.path, 1, "error", f"no tool named {name!r}{nearest(name, tools)}")
            for name in required
            if name not in tools
        ]
    for step in runbook.all_steps():
        line = runbook.lines[step.id]
        if step.tool not in required:
            text = f"step {step.id!r} uses {step.tool!r}, which tools_required does not name"
            out.append(Problem(runbook.path, line, "error", text + nearest(step.tool, required)))
        for tool, argument in sorted(SHELL_ARGUMENTS):
            if step.tool == tool and not str(step.with_.get(argument) or "").strip():
                out.append(Problem(runbook.path, line, "error", f"step {step.id!r} has no {argument}"))
    return out


def _headings(runbook: Runbook) -> list[Problem]:
    missing = [heading for heading in HEADINGS if heading not in runbook.sections]
    if not missing:
        return []
    return [Problem(runbook.path, None, "warning", f"no heading for: {', '.join(missing)}")]


def _recorded(runbook: Runbook) -> list[Problem]:
    if not runbook.steps:
        return []
    path = recording_path(runbook)
    if not path.is_file():
        return [Problem(runbook.path, None, "warning", f"no recorded outputs; `runbooks test` reads {path}")]
    try:
        load_cases(runbook)
    except ConfigError as error:
        return [from_error(error, path)]
    return []
