"""The only JSON reader for files that people write: no duplicate keys, no NaN, bounded, with line numbers."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

from akili_cli.adapters.files.yaml import MAX_DEPTH, MAX_DIGITS, MAX_NODES, KeyPath, Lines, check_size, shown_key
from akili_cli.domain.errors import ConfigError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n|[^\s{}\[\],:"]+')


def load_json_with_lines(text: str, source: str) -> tuple[object, Lines]:
    """Turn a JSON text into data and the line (from 1) at which each key path stands; blank gives ``None``.

    Raises ``ConfigError`` (``source:line: what``) for a syntax error, a duplicate key, NaN and infinities,
    a number of more than 100 digits, and a text past the limits of ``load_yaml``.
    """
    check_size(text, source)
    if not text.strip():
        return None, {}
    try:
        value = json.loads(text, parse_constant=_constant, parse_int=_integer, parse_float=_float)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{source}:{error.lineno}: not valid JSON: {error.msg}") from None
    except RecursionError:
        raise ConfigError(f"{source}: nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None
    return value, _Walk(source).lines_of(text)


def _constant(word: str) -> object:
    raise ValueError(f"{word} is not a number akili can use")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is not a number akili can use")
    return value


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


@dataclass(slots=True)
class _Walk:
    """Finds the lines of a text that is known to be valid JSON.

    ``path`` holds one entry for each open container: the current key, the current index, or ``None`` in an
    object between two keys.
    """

    source: str
    lines: Lines = field(default_factory=dict)
    path: list[str | int | None] = field(default_factory=list)
    line: int = 1

    def lines_of(self, text: str) -> Lines:
        for match in _TOKEN.finditer(text):
            self.step(match.group())
            if len(self.path) > MAX_DEPTH:
                raise self.refuse(f"nested deeper than {MAX_DEPTH} levels")
            if len(self.lines) > MAX_NODES:
                raise self.refuse(f"more than {MAX_NODES:,} values")
        return self.lines

    def step(self, piece: str) -> None:
        match piece:
            case "\n":
                self.line += 1
            case "{" | "[":
                self.mark()
                self.path.append(None if piece == "{" else 0)
            case "}" | "]":
                self.path.pop()
            case ",":
                last = self.path[-1]
                self.path[-1] = last + 1 if isinstance(last, int) else None
            case ":":
                return
            case _:
                self.word(piece)

    def word(self, text: str) -> None:
        if "\\u" in text and _has_surrogate(json.loads(text)):
            raise self.refuse("half a surrogate pair is not a character")
        if not self.path or self.path[-1] is not None:
            self.mark()
            return
        key = json.loads(text)
        self.path[-1] = key
        if (first := self.lines.get(self.here())) is not None:
            raise self.refuse(f"duplicate key {shown_key(self.here()[:-1], key)} (first on line {first})")
        self.mark()

    def mark(self) -> None:
        self.lines.setdefault(self.here(), self.line)

    def here(self) -> KeyPath:
        return tuple(part for part in self.path if part is not None)

    def refuse(self, what: str) -> ConfigError:
        return ConfigError(f"{self.source}:{self.line}: {what}")
