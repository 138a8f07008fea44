"""Reads runbook files strictly: every refusal names the file, the line and the nearest right word."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel, ValidationError

from akili_cli.adapters.files.frontmatter import split_front_matter
from akili_cli.adapters.files.yaml import Lines, line_of, load_yaml_with_lines
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.nearest import nearest
from akili_cli.features.runbooks.inputs import check_holes, input_value
from akili_cli.features.runbooks.model import (
    Capture,
    Condition,
    FactRule,
    FindingRule,
    Foreach,
    FrontMatter,
    InputSpec,
    Runbook,
    Step,
    When,
)

M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 1_048_576
MAX_STEPS = 50
KEPT = 32

_INFO = (["akili"], ["yaml", "akili"], ["yml", "akili"])
_PARTS: Mapping[str, type[BaseModel]] = {
    "capture": Capture,
    "facts": FactRule,
    "findings": FindingRule,
    "foreach": Foreach,
    "inputs": InputSpec,
    "rollback": Step,
    "verify": Step,
    "when": When,
    "where": Condition,
}


def runbook_files(directory: Path) -> tuple[Path, ...]:
    """Give the runbook files of a folder, by name; a folder that does not exist has none."""
    if not directory.is_dir():
        return ()
    return tuple(sorted(path for path in directory.glob("*.md") if path.is_file() and path.name != "README.md"))


def slug_of(path: Path) -> str:
    """Give the key of a runbook: its file name in lower case, with dashes."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:60] or "runbook"


def read_text(path: Path) -> str:
    """Read a runbook file; raises ``ConfigError`` when it is unreadable, too large or not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: larger than 1 MiB")
        return data.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None


def load_runbook(path: Path) -> Runbook:
    """Read one runbook file; raises ``ConfigError``."""
    return parse_runbook(read_text(path), path=str(path))


@lru_cache(maxsize=KEPT)
def parse_runbook(text: str, *, path: str) -> Runbook:
    """Turn a file's text into a runbook; raises ``ConfigError`` (``file:line: what``). The last ones are kept."""
    document = split_front_matter(text, source=path)
    front = _valid(FrontMatter, document.front, document.lines, path)
    _check_defaults(front, document.lines, path)
    tokens = _markdown(document.body, path)
    steps, lines = _steps(tokens, document.body_line - 1, path, front)
    return Runbook(
        slug=slug_of(Path(path)),
        path=path,
        front=front,
        body=document.body.strip("\n"),
        sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        steps=steps,
        lines=lines,
        sections=_sections(tokens),
    )


def _markdown(body: str, path: str) -> list[Token]:
    try:
        return MarkdownIt("commonmark").parse(body)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


def _steps(tokens: list[Token], offset: int, path: str, front: FrontMatter) -> tuple[tuple[Step, ...], dict[str, int]]:
    steps: list[Step] = []
    where: dict[str, int] = {}
    for token in tokens:
        words = token.info.split() if token.type == "fence" else []
        if "akili" not in words:
            continue
        line = offset + (token.map[0] if token.map else 0) + 1
        if words not in _INFO:
            raise ConfigError(f"{path}:{line}: a step's fence is tagged 'yaml akili', not {token.info.strip()!r}")
        # Empty lines before the block make the reader's line numbers the file's.
        value, lines = load_yaml_with_lines("\n" * line + token.content, path)
        step = _valid(Step, value, lines, path)
        _check_step(step, steps, front, f"{path}:{line}")
        for deep in step.with_nested():
            if deep.id in where:
                raise ConfigError(f"{path}:{line}: step {deep.id!r} exists already (line {where[deep.id]})")
            where[deep.id] = line
        steps.append(step)
    if len(where) > MAX_STEPS:
        raise ConfigError(f"{path}: more than {MAX_STEPS} steps")
    return tuple(steps), where


def _check_step(step: Step, earlier: list[Step], front: FrontMatter, place: str) -> None:
    known = [one.id for one in earlier]
    for key, link in (("when", step.when), ("foreach", step.foreach)):
        if link is not None and link.step not in known:
            near = nearest(link.step, known)
            raise ConfigError(f"{place}: {key} names no earlier step {link.step!r}{near}")
    if step.foreach is not None and step.verify:
        raise ConfigError(f"{place}: a step with foreach has no verify")
    for inner in (*step.verify, *step.rollback):
        if inner.when or inner.foreach or inner.verify or inner.rollback:
            raise ConfigError(f"{place}: {inner.id!r} is inside a step and cannot have steps or conditions itself")
    for one in step.with_nested():
        wheres = [*(rule.where for rule in one.findings), *(rule.where for rule in one.facts)]
        if any(condition.count for where in wheres for condition in where):
            raise ConfigError(f"{place}: count belongs to a finding, not to its where")
        try:
            check_holes(one, front.inputs)
        except ValueError as error:
            raise ConfigError(f"{place}: step {one.id!r}: {error}") from None


def _check_defaults(front: FrontMatter, lines: Lines, path: str) -> None:
    for name, spec in front.inputs.items():
        line = line_of(lines, ("inputs", name)) or 1
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
            raise ConfigError(f"{path}:{line}: an input's name is a lower-case word, not {name!r}")
        if spec.default is None:
            continue
        try:
            input_value(spec, spec.default)
        except ValueError as error:
            raise ConfigError(f"{path}:{line}: the default of {name!r} does not fit: {error}") from None


def _valid(model: type[M], value: object, lines: Lines, path: str) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refusal(error, model, lines, path) from None


def _refusal(error: ValidationError, model: type[BaseModel], lines: Lines, path: str) -> ConfigError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = first["loc"]
    line = line_of(lines, place)
    where = path if line is None else f"{path}:{line}"
    names = [str(part) for part in place]
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        part = next((_PARTS[name] for name in reversed(names[:-1]) if name in _PARTS), model)
        known = [field.alias or name for name, field in part.model_fields.items()]
        return ConfigError(
            f"{where}: unknown key {names[-1]!r}{nearest(names[-1], known)}", hint=f"keys: {', '.join(known)}"
        )
    if first["type"] == "missing":
        return ConfigError(f"{where}: {names[-1]!r} is missing")
    return ConfigError(f"{where}: {'.'.join(names) or model.__name__.lower()}: {what}")


def _sections(tokens: list[Token]) -> dict[str, tuple[str, ...]]:
    """Collect the bullet texts below each heading, by the heading's lower-case words."""
    sections: dict[str, list[str]] = {}
    heading = ""
    depth = 0
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[at + 1].content.strip().lower()
            sections.setdefault(heading, [])
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "inline" and depth and heading:
            sections[heading].append(" ".join(token.content.split()))
    return {name: tuple(texts) for name, texts in sections.items()}
