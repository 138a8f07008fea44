"""Plays a runbook against recorded outputs and compares what it reports with what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from akili_cli.adapters.files.yaml import line_of, load_yaml_with_lines
from akili_cli.domain.errors import ConfigError, NotFoundError, UsageError
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock
from akili_cli.features.runbooks.inputs import resolve_inputs
from akili_cli.features.runbooks.model import Runbook
from akili_cli.features.runbooks.play import Player, call_prefix
from akili_cli.features.runbooks.report import FinalReport
from akili_cli.features.runbooks.source import read_text

MAX_TURNS = 100
FOLDER = "recorded"


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RecordedOutput(_Written):
    """What a tool answered: its text, or a refusal."""

    text: str = ""
    exit: int = 0
    is_error: bool = False


class Expected(_Written):
    """What the report must say; ``facts`` need to hold the texts, the rest must be equal."""

    severity: str
    findings: tuple[str, ...] = Field((), strict=False)
    not_checked: tuple[str, ...] = Field((), strict=False)
    facts: dict[str, str] = Field(default_factory=dict)


class RecordedCase(_Written):
    """One host, recorded: outputs by step id (``id-1``, ``id-2`` for a step with foreach)."""

    name: str
    inputs: dict[str, object] = Field(default_factory=dict)
    outputs: dict[str, RecordedOutput]
    expect: Expected


class _Recording(_Written):
    cases: tuple[RecordedCase, ...] = Field(strict=False, min_length=1)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: ``differences`` is empty when the report was as expected."""

    case: str
    report: FinalReport
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """All recorded cases of one runbook."""

    slug: str
    cases: tuple[CaseResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every report was as expected."""
        return not any(case.differences for case in self.cases)


def recording_path(runbook: Runbook) -> Path:
    """Give where a runbook's recorded outputs stand."""
    path = Path(runbook.path)
    return path.parent / FOLDER / f"{path.stem}.yaml"


def load_cases(runbook: Runbook) -> tuple[RecordedCase, ...]:
    """Read the recorded cases; ``NotFoundError`` when there are none, ``ConfigError`` when they are off."""
    path = recording_path(runbook)
    if not path.is_file():
        raise NotFoundError(f"{runbook.slug} has no recorded outputs", hint=f"write {path}")
    value, lines = load_yaml_with_lines(read_text(path), str(path))
    try:
        return _Recording.model_validate(value).cases
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        line = line_of(lines, first["loc"]) or 1
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}:{line}: {where}: {first['msg']}") from None


def rehearse(runbook: Runbook) -> RehearsalResult:
    """Play every recorded case; raises ``NotFoundError`` or ``ConfigError`` when there is nothing to play."""
    return RehearsalResult(runbook.slug, tuple(_play(runbook, case) for case in load_cases(runbook)))


def _play(runbook: Runbook, case: RecordedCase) -> CaseResult:
    try:
        player = Player(runbook, resolve_inputs(runbook.front.inputs, case.inputs))
    except UsageError as error:
        raise ConfigError(f"{recording_path(runbook)}: case {case.name!r}: {error}") from error
    messages = [Message("user", (TextBlock(f"runbooks test {runbook.slug}"),))]
    prefix = call_prefix(runbook.slug)
    played: set[str] = set()
    for _ in range(MAX_TURNS):
        answer = player.next(messages)
        if isinstance(answer, FinalReport):
            unused = [f"output {one!r} was never asked for" for one in case.outputs if one not in played]
            return CaseResult(case.name, answer, (*_differences(case.expect, answer), *unused))
        names = [use.id.removeprefix(prefix) for use in answer]
        played.update(names)
        results = tuple(_result(use, case.outputs.get(name)) for use, name in zip(answer, names, strict=True))
        messages += [Message("assistant", answer), Message("user", results)]
    raise ConfigError(f"{runbook.path}: the steps never come to an end")


def _result(use: ToolUseBlock, output: RecordedOutput | None) -> ToolResultBlock:
    if output is None:
        return ToolResultBlock(use.id, "Invalid: no output was recorded for this step", is_error=True)
    text = output.text + (f"\n[exit {output.exit}]" if output.exit else "")
    return ToolResultBlock(use.id, text, is_error=output.is_error)


def _differences(expect: Expected, report: FinalReport) -> tuple[str, ...]:
    out: list[str] = []
    if report.severity != expect.severity:
        out.append(f"severity is {report.severity}, expected {expect.severity}")
    found = [f"{one.severity}: {one.text}" for one in report.findings]
    out += _compare("finding", found, list(expect.findings))
    out += _compare("not checked", [one.step for one in report.not_checked], list(expect.not_checked))
    for label, text in expect.facts.items():
        said = [one.text for one in report.facts if one.label == label]
        if not any(text in one for one in said):
            out.append(f"fact {label!r} is {'; '.join(said) or 'absent'!r}, expected {text!r}")
    return tuple(out)


def _compare(word: str, got: list[str], wanted: list[str]) -> list[str]:
    return [
        *(f"missing {word}: {one}" for one in wanted if one not in got),
        *(f"unexpected {word}: {one}" for one in got if one not in wanted),
    ]
