"""The only YAML reader: plain data out, nothing executed, nothing that grows beyond its text.

Values resolve as in YAML 1.2, not 1.1: only ``true`` and ``false`` are booleans (``yes``, ``no``, ``on`` and
``off`` stay text), ``12:30`` and ``1_000`` and ``0755`` and dates stay text, ``0o17`` and ``0x1f`` are
integers. A control that was meant as text never turns into something else on the way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from akili_cli.domain.errors import ConfigError

KeyPath = tuple[str | int, ...]
Lines = dict[KeyPath, int]

MAX_BYTES = 1_048_576
MAX_DEPTH = 50
MAX_NODES = 100_000
MAX_ALIASES = 100
MAX_DIGITS = 100

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGERS = (
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII), 10, ""),
    (re.compile(r"0o[0-7]+", re.ASCII), 8, "0o"),
    (re.compile(r"0x[0-9a-fA-F]+", re.ASCII), 16, "0x"),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)


def shown_key(path: KeyPath, key: object) -> str:
    """Write a key for an error, except in the one mapping whose keys are secrets."""
    return "(not shown)" if path[-1:] == ("api_key_user_mapping",) else repr(key)


def load_yaml(text: str, *, source: str) -> object:
    """Turn one YAML document into dicts with text keys, lists and scalars; nothing at all gives ``None``.

    Raises ``ConfigError`` (``source:line: what``) for a syntax error, a second document, a duplicate or
    non-text key, a merge key, a tag that is not plain data, an infinite number, and a text that is too long
    or grows too large (1 MiB, 100,000 values, 50 levels, 100 aliases).
    """
    return load_yaml_with_lines(text, source)[0]


def load_yaml_with_lines(text: str, source: str) -> tuple[object, Lines]:
    """Like ``load_yaml``, with the line (from 1) at which each key path stands.

    Below an alias only the alias itself has a line.
    """
    check_size(text, source)
    build = _Build(source)
    try:
        events = yaml.parse(text, Loader=_LOADER)
        return build.document(events), build.lines
    except yaml.YAMLError as error:
        raise _syntax_error(error, source) from error
    except UnicodeEncodeError:
        raise ConfigError(f"{source}: the text is not valid Unicode") from None


def check_size(text: str, source: str) -> None:
    """Refuse a text of more than 1 MiB with ``ConfigError``."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(f"{source}: larger than 1 MiB", hint="split it into smaller files")


def line_of(lines: Lines, path: KeyPath) -> int | None:
    """Give the line of a key path, or of the nearest thing around it."""
    for length in range(len(path), -1, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


@dataclass(slots=True)
class _Build:
    """Builds one document from parser events, counting as it goes.

    ``anchors`` hold a value with its size and height, so that an alias is charged what it expands to.
    """

    source: str
    lines: Lines = field(default_factory=dict)
    anchors: dict[str, tuple[object, int, int]] = field(default_factory=dict)
    nodes: int = 0
    aliases: int = 0
    height: int = 0

    def document(self, events: Iterator[Event]) -> object:
        value: object = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.refuse(event, "a second document; one file holds one")
            elif isinstance(event, NodeEvent):
                value = self.node(event, events, ())
        return value

    def node(self, event: Event, events: Iterator[Event], path: KeyPath) -> object:
        self.lines.setdefault(path, _line(event))
        if len(path) > MAX_DEPTH:
            raise self.refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self.alias(event, path)
        before = self.nodes
        outer, self.height = self.height, 0
        self.count(event, 1)
        value = self.value(event, events, path)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = (value, self.nodes - before, self.height)
        self.height = max(outer, self.height + 1)
        return value

    def value(self, event: Event, events: Iterator[Event], path: KeyPath) -> object:
        match event:
            case ScalarEvent():
                return self.scalar(event)
            case SequenceStartEvent():
                self.collection_tag(event, "seq")
                return self.sequence(events, path)
            case MappingStartEvent():
                self.collection_tag(event, "map")
                return self.mapping(events, path)
            case _:
                raise self.refuse(event, "not plain data")

    def sequence(self, events: Iterator[Event], path: KeyPath) -> list[object]:
        out: list[object] = []
        while isinstance(event := next(events), NodeEvent):
            out.append(self.node(event, events, (*path, len(out))))
        return out

    def mapping(self, events: Iterator[Event], path: KeyPath) -> dict[str, object]:
        out: dict[str, object] = {}
        while isinstance(event := next(events), NodeEvent):
            key = self.key(event)
            if key in out:
                first = self.lines[*path, key]
                raise self.refuse(event, f"duplicate key {shown_key(path, key)} (first on line {first})")
            self.lines[*path, key] = _line(event)
            out[key] = self.node(next(events), events, (*path, key))
        return out

    def key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            raise self.refuse(event, "a key must be text")
        self.count(event, 1)
        if event.value == "<<" and event.implicit[0]:
            raise self.refuse(event, "merge keys (<<) are not supported; write the keys out")
        key = self.scalar(event)
        if not isinstance(key, str):
            raise self.refuse(event, f"the key {event.value!r} is not text; put it in quotes")
        if event.anchor is not None:
            self.anchors[event.anchor] = (key, 1, 0)
        return key

    def alias(self, event: AliasEvent, path: KeyPath) -> object:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self.refuse(event, f"more than {MAX_ALIASES} aliases")
        known = self.anchors.get(event.anchor or "")
        if known is None:
            raise self.refuse(event, f"the alias *{event.anchor} names nothing written before it")
        value, size, height = known
        self.count(event, size)
        if len(path) + height > MAX_DEPTH:
            raise self.refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        self.height = max(self.height, height + 1)
        return value

    def count(self, event: Event, size: int) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise self.refuse(event, f"more than {MAX_NODES:,} values")

    def scalar(self, event: ScalarEvent) -> object:
        text = event.value
        if event.tag is None:
            return self.resolve(event, text) if event.implicit[0] else text
        kind = event.tag.removeprefix(_CORE)
        if event.tag == "!" or kind == "str":
            return text
        value = self.resolve(event, text)
        fits = {
            "int": isinstance(value, int) and not isinstance(value, bool),
            "float": isinstance(value, int | float) and not isinstance(value, bool),
            "bool": isinstance(value, bool),
            "null": value is None,
        }
        if not event.tag.startswith(_CORE) or kind not in fits:
            raise self.refuse(event, f"the tag {event.tag!r} is not plain data")
        if not fits[kind]:
            raise self.refuse(event, f"{text!r} does not fit the tag {kind}")
        return float(value) if kind == "float" and isinstance(value, int) else value

    def resolve(self, event: Event, text: str) -> object:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _SPECIAL.fullmatch(text):
            raise self.refuse(event, f"{text} is not a number akili can use")
        return self.number(event, text)

    def number(self, event: Event, text: str) -> object:
        for pattern, base, prefix in _INTEGERS:
            if pattern.fullmatch(text):
                if len(text) > MAX_DIGITS:
                    raise self.refuse(event, f"a number of more than {MAX_DIGITS} digits")
                return int(text.removeprefix(prefix), base)
        if not _FLOAT.fullmatch(text):
            return text
        value = float(text)
        if math.isinf(value):
            raise self.refuse(event, f"{text[:40]} is not a number akili can use")
        return value

    def collection_tag(self, event: CollectionStartEvent, kind: str) -> None:
        if event.tag not in (None, "!", _CORE + kind):
            raise self.refuse(event, f"the tag {event.tag!r} is not plain data")

    def refuse(self, event: Event, what: str) -> ConfigError:
        return ConfigError(f"{self.source}:{_line(event)}: {what}")


def _line(event: Event) -> int:
    mark = event.start_mark
    return int(mark.line) + 1 if mark else 1


def _syntax_error(error: yaml.YAMLError, source: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = source if mark is None else f"{source}:{mark.line + 1}"
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
    return ConfigError(f"{where}: not valid YAML: {what}")
