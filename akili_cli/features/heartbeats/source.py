"""Reads task files: strict front matter, then Markdown in which headings make tasks and bullets set their fields."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import ValidationError

from akili_cli.adapters.files.frontmatter import Document, split_front_matter
from akili_cli.adapters.files.yaml import line_of
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.errors import ConfigError, InvalidArgumentsError
from akili_cli.domain.nearest import nearest
from akili_cli.features.heartbeats.fields import KEYS, field_value
from akili_cli.features.heartbeats.model import (
    DEFAULT_BUDGET_USD,
    MAX_NAME_CHARS,
    MAX_PROMPT_CHARS,
    FrontMatter,
    Mode,
    Precheck,
    TaskFile,
    TaskSpec,
)

MAX_BYTES = 262_144
MAX_TASKS = 200
MAX_PROBLEMS = 50

_MODE_WORD = re.compile(r"\b(quick|long)", re.IGNORECASE)
_BULLET = re.compile(r"\s*[-*+]\s+([A-Za-z_]+)[ \t]*:(?!\S*//)[ \t]*(.*?)\s*\Z", re.ASCII)
_NO_TEXT = ("heading_close", "bullet_list_open", "bullet_list_close")
_BLOCKS = MarkdownIt("commonmark").disable(["inline", "text_join"])


@dataclass(slots=True)
class _Section:
    """The lines below one ``###``: where it stands, and which lines are fields instead of prompt."""

    name: str
    mode: Mode
    line: int
    first: int
    end: int = 0
    fields: dict[str, tuple[str, int]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    has_text: bool = False
    is_prose: bool = False


def parse_file(data: bytes, *, path: str) -> TaskFile:
    """Read one file's bytes. What is wrong is said in ``problems``: with the whole file, or with one task."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        text = _text(data, path)
        document = split_front_matter(text, source=path)
        front = _front(document, path)
        return _Body(document, front, path).read(sha256)
    except ConfigError as error:
        said = f"{error} ({error.hint})" if error.hint else str(error)
        return TaskFile(path=path, sha256=sha256, problems=tuple(said.split("\n")[:MAX_PROBLEMS]))


def _text(data: bytes, path: str) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}:1: larger than 256 KiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ConfigError(f"{path}:{line}: holds a NUL character")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _front(document: Document, path: str) -> FrontMatter:
    """Check the head; raises ``ConfigError`` with one line for each thing that is wrong."""
    try:
        front = FrontMatter.model_validate(document.front)
    except ValidationError as error:
        wrong = dict.fromkeys(
            _front_problem(tuple(one["loc"]), one["type"], one["msg"], document, path)
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise ConfigError("\n".join(wrong)) from None
    if front.default_cron is not None:
        try:
            parse_cron(front.default_cron)
        except InvalidArgumentsError as error:
            line = line_of(document.lines, ("default_cron",)) or 1
            raise ConfigError(f"{path}:{line}: default_cron: {error}", hint=error.hint) from None
    return front


def _front_problem(place: tuple[int | str, ...], kind: str, message: str, document: Document, path: str) -> str:
    line = line_of(document.lines, place) or 2
    name = str(place[0]) if place else "front matter"
    if kind == "extra_forbidden":
        return f"{path}:{line}: unknown key {name[:60]!r}{nearest(name, FrontMatter.model_fields)}"
    if kind == "missing":
        return f"{path}:{line}: {name!r} is missing"
    return f"{path}:{line}: {name}: {message}"


class _Body:
    """The Markdown below the head of one file."""

    def __init__(self, document: Document, front: FrontMatter, path: str) -> None:
        self._front = front
        self._path = path
        self._offset = document.body_line
        self._lines = document.body.split("\n")
        self._problems: list[str] = []
        try:
            self._tokens = _BLOCKS.parse(document.body)
        except RecursionError:
            raise ConfigError(f"{path}: nested too deeply") from None

    def read(self, sha256: str) -> TaskFile:
        tasks: dict[str, TaskSpec] = {}
        sections = list(self._sections())
        for section in sections[:MAX_TASKS]:
            task = self._task(section)
            if task is None:
                continue
            if task.name in tasks:
                self._say(section.line, f"task {task.name!r} exists already (line {tasks[task.name].line})")
                continue
            tasks[task.name] = task
        if len(sections) > MAX_TASKS:
            self._say(sections[MAX_TASKS].line, f"more than {MAX_TASKS} tasks; those from here on are left out")
        if not sections:
            self._say(self._offset, "no task: a task begins with a line of `### ` and its name")
        more = len(self._problems) - MAX_PROBLEMS
        problems = [*self._problems[:MAX_PROBLEMS], *([f"{self._path}: and {more} problems more"] if more > 0 else [])]
        return TaskFile(
            path=self._path,
            sha256=sha256,
            group=self._front.name,
            tasks=tuple(tasks.values()),
            problems=tuple(problems),
        )

    def _say(self, line: int, what: str) -> None:
        self._problems.append(f"{self._path}:{line}: {what}")

    def _sections(self) -> Iterator[_Section]:
        """Go through the tasks. A heading inside a fence, quote, list or HTML is text, and so is an underlined one."""
        mode, section = Mode.QUICK, None
        for at, token in enumerate(self._tokens):
            word, title = self._heading(at)
            if word is not None or title is not None:
                if section is not None:
                    section.end = token.map[0] if token.map else 0
                    yield section
                section = None
                mode = mode if word is None else word
                if title is not None and token.map is not None:
                    section = _Section(title, mode, self._offset + token.map[0], token.map[1])
            elif section is not None:
                self._inside(section, token)
        if section is not None:
            section.end = len(self._lines)
            yield section

    def _heading(self, at: int) -> tuple[Mode | None, str | None]:
        """Give the mode that a ``##`` sets, or the title of a ``###``."""
        token = self._tokens[at]
        if token.level != 0 or token.type != "heading_open":
            return None, None
        title = " ".join(self._tokens[at + 1].content.split())
        word = _MODE_WORD.search(title) if token.markup == "##" else None
        return None if word is None else Mode(word[1].lower()), title if token.markup == "###" else None

    def _inside(self, section: _Section, token: Token) -> None:
        if token.type == "list_item_open" and token.level == 1:
            self._item(section, token)
        elif token.level == 0 and token.type == "heading_open":
            section.is_prose = True
        elif token.level == 0 and token.type not in _NO_TEXT:
            section.has_text = True

    def _item(self, section: _Section, token: Token) -> None:
        """Take the first line of a bullet as a field if it is one; the rest of the bullet is prompt."""
        if token.map is None or section.is_prose:
            return
        first, end = token.map
        bullet = _BULLET.match(self._lines[first])
        if bullet is None:
            return
        key, value = bullet.groups()
        place = f"{self._path}:{self._offset + first}"
        if key not in KEYS:
            near = nearest(key, KEYS)
            if near and not section.has_text:
                section.wrong.append(f"{place}: unknown field {key!r}{near}")
            return
        if key in section.fields:
            section.wrong.append(f"{place}: {key} is given twice (line {self._offset + section.fields[key][1]})")
            return
        section.fields[key] = (value, first)
        section.taken.add(first)
        for line in range(first + 1, min(end, len(self._lines))):
            nested = _BULLET.match(self._lines[line])
            if nested is not None and nested[1] in KEYS:
                section.wrong.append(f"{self._path}:{self._offset + line}: {nested[1]} stands indented; start it at -")

    def _task(self, section: _Section) -> TaskSpec | None:
        """Give the task of a section, or None when something is wrong with it, which is said."""
        wrong = [*section.wrong]
        values: dict[str, object] = {}
        for key, (text, line) in section.fields.items():
            try:
                values[key] = field_value(key, text)
            except InvalidArgumentsError as error:
                hint = f" ({error.hint})" if error.hint else ""
                wrong.append(f"{self._path}:{self._offset + line}: {key}: {error}{hint}")
        prompt = self._prompt(section)
        front, place = self._front, f"{self._path}:{section.line}"
        named = f"task {section.name[:60]!r}"
        if not section.name or len(section.name) > MAX_NAME_CHARS or not section.name.isprintable():
            wrong.append(f"{place}: a task's name is 1 to {MAX_NAME_CHARS} printable characters")
        if not prompt:
            wrong.append(f"{place}: {named} has no text that says what to do")
        if len(prompt) > MAX_PROMPT_CHARS:
            wrong.append(f"{place}: {named} is longer than {MAX_PROMPT_CHARS} characters")
        cron = values.get("cron", front.default_cron)
        if cron is None and "cron" not in section.fields:
            wrong.append(f"{place}: {named} is skipped: it has no cron, and the file has no default_cron")
        self._problems += wrong
        if wrong:
            return None
        precheck, cap = values.get("precheck"), values.get("max_runs_per_day")
        budget = values.get("budget_usd", front.default_budget_usd)
        return TaskSpec(
            group=front.name,
            name=section.name,
            description=front.description or "",
            path=self._path,
            line=section.line,
            user=front.user_id,
            cron_expression=str(cron),
            mode=Mode(str(values.get("mode", section.mode))),
            prompt=prompt,
            budget_usd=float(str(DEFAULT_BUDGET_USD if budget is None else budget)),
            channels=front.notification_channels or (),
            precheck=precheck if isinstance(precheck, Precheck) else None,
            max_runs_per_day=cap if isinstance(cap, int) else None,
            enabled=front.enabled,
        )

    def _prompt(self, section: _Section) -> str:
        kept = enumerate(self._lines[section.first : section.end], section.first)
        lines = [line for at, line in kept if at not in section.taken]
        while lines and not lines[0].strip():
            lines.pop(0)
        return "\n".join(lines).rstrip()
