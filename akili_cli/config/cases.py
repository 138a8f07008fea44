"""Files of calls for ``akili policy test`` and ``diff``: strict, every problem with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from akili_cli.adapters.files.yaml import KeyPath, Lines, line_of, load_yaml_with_lines
from akili_cli.config.lines import render_path
from akili_cli.config.policies import RiskName, SourceName, Word, Words
from akili_cli.domain.decisions import Origin
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.nearest import nearest

MAX_BYTES = 1_048_576
MAX_SHOWN = 20


class Call(BaseModel):
    """A call and who makes it, how; whatever is left out is as in a plain ``akili query``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Word | None = Field(None, description="what the case is about")
    tool: Word
    arguments: dict[str, object] = Field(default_factory=dict, alias="with")
    user: Word | None = None
    agent: Word | None = None
    source: SourceName = "cli"
    untrusted: Words = Field((), strict=False, description="labels of outside text in context")
    read_only: bool = False
    autonomous: bool = False
    at: Word | None = Field(None, description="like 2026-02-17T23:30+01:00; now when left out")

    @field_validator("at")
    @classmethod
    def _moment(cls, text: str | None) -> str | None:
        try:
            zoned = text is None or datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            zoned = False
        if not zoned:
            raise ValueError("must be a moment with its time zone, as 2026-02-17T23:30+01:00")
        return text


class Case(Call):
    """A call with what must be decided about it."""

    verdict: Literal["allow", "ask", "deny"]
    rule: Word | None = Field(None, description="the id of the rule that must decide")
    risk: RiskName | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A call or case with where it stands."""

    call: Call
    origin: Origin


def load_cases(path: Path, *, judged: bool) -> tuple[Placed, ...]:
    """Read a file of cases, or with ``judged`` false of calls, whose verdicts are then left out of account.

    Raises ``ConfigError`` that lists every problem as ``file:line: what``.
    """
    return parse_cases(_text_of(path), str(path), judged=judged)


def parse_cases(text: str, source: str, *, judged: bool) -> tuple[Placed, ...]:
    """Read the text of such a file; see ``load_cases``."""
    data, lines = load_yaml_with_lines(text, source)
    if not isinstance(data, list) or not data:
        raise ConfigError(f"{source}:1: must be a list of calls, each with tool, with and verdict")
    placed: list[Placed] = []
    problems: list[str] = []
    for index, item in enumerate(data):
        try:
            call = Case.model_validate(item) if judged or _says_verdict(item) else Call.model_validate(item)
        except ValidationError as error:
            problems += _problems(error, index, lines, source)
            continue
        placed.append(Placed(call, Origin(source, line_of(lines, (index,)))))
    if problems:
        shown = problems[:MAX_SHOWN]
        more = [f"and {len(problems) - MAX_SHOWN} more"] if len(problems) > MAX_SHOWN else []
        raise ConfigError("\n".join([*shown, *more]))
    return tuple(placed)


def _says_verdict(item: object) -> bool:
    return isinstance(item, dict) and "verdict" in item


def _text_of(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: larger than 1 MiB")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None


def _problems(error: ValidationError, index: int, lines: Lines, source: str) -> Iterator[str]:
    known = [field.alias or name for name, field in Case.model_fields.items()]
    for detail in error.errors(include_url=False):
        path: KeyPath = detail["loc"]
        line = line_of(lines, (index, *path))
        what = detail["msg"][:1].lower() + detail["msg"][1:]
        if detail["type"] == "extra_forbidden":
            what = f"there is no such key{nearest(str(path[-1]), known)}"
        elif detail["type"] == "value_error":
            what = detail["msg"].removeprefix("Value error, ")
        elif detail["type"] == "missing":
            what = "is missing"
        yield f"{source}:{line}: {render_path(path)}: {what}" if path else f"{source}:{line}: {what}"
