"""Splits a Markdown file into its YAML front matter and the text below it."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.adapters.files.yaml import Lines, check_size, load_yaml_with_lines
from akili_cli.domain.errors import ConfigError

_FENCE = "---"


@dataclass(frozen=True, slots=True)
class Document:
    """A file in two parts. ``lines`` and ``body_line`` are numbers in the whole file, from 1."""

    front: dict[str, object]
    lines: Lines
    body: str
    body_line: int


def split_front_matter(text: str, *, source: str) -> Document:
    """Read a file that starts with ``---``, YAML, ``---``.

    Raises ``ConfigError`` (``source:line: what``) when the block is missing, not closed, not valid YAML or
    not a mapping, and when the text is larger than 1 MiB.
    """
    check_size(text, source)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise ConfigError(f"{source}:1: no front matter", hint="the first line is ---")
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise ConfigError(f"{source}:1: the front matter is not closed", hint="end it with a line of ---")
    # One empty line stands for the opening fence, so that the reader's line numbers are the file's.
    front, places = load_yaml_with_lines("\n" + "\n".join(lines[1:end]), source)
    if not isinstance(front, dict):
        raise ConfigError(f"{source}:2: the front matter is not a mapping of keys to values")
    return Document(front, places, "\n".join(lines[end + 1 :]), end + 2)
