"""The only place that prints. stdout is the answer, stderr is the talk."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from akili_cli.cli import options
from akili_cli.domain.errors import AkiliError

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_KEPT = "\n\t"


class ReaderGoneError(Exception):
    """Whoever read the answer has closed the pipe. Not an ``OSError``, which the command parser would take."""


def has_color(stream: TextIO) -> bool:
    """Tell whether to colour a stream: ``--color``, then NO_COLOR, FORCE_COLOR, TERM=dumb, then the terminal."""
    if options.given.color != "auto":
        return options.given.color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO) -> str:
    """Colour a text for a stream, if that stream is to be coloured."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if has_color(stream) else text


def safe(text: str) -> str:
    """Show control, bidirectional and invisible characters as escapes, so that nothing on screen lies."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in _KEPT or not _is_hidden(c) else _escaped(c) for c in text)


def _is_hidden(char: str) -> bool:
    category = unicodedata.category(char)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or char in "\u115f\u1160\u3164\uffa0\u2800\u034f"


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def fitting(text: str, width: int) -> str:
    """Give one line of at most ``width`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(0, width - 3)] + "..."


def out(text: str) -> None:
    """Write a line of the answer to stdout."""
    _write(sys.stdout, safe(text) + "\n")


def out_painted(text: str) -> None:
    """Write a line of the answer that already went through ``safe`` and ``paint``."""
    _write(sys.stdout, text + "\n")


def raw_out(text: str) -> None:
    """Write a piece of the answer to stdout as it arrives, without a line end."""
    _write(sys.stdout, safe(text))


def talk(text: str, style: str | None = None) -> None:
    """Write a line of talk to stderr."""
    text = safe(text)
    _write(sys.stderr, (paint(text, style, sys.stderr) if style else text) + "\n")


def out_json(value: object) -> None:
    """Write one JSON document to stdout: indented for a terminal, on one line for a program."""
    indent = 2 if sys.stdout.isatty() else None
    _write(sys.stdout, json.dumps(value, ensure_ascii=True, indent=indent, default=str) + "\n")


def out_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write aligned columns to stdout; the last column is never padded or cut."""
    cells = [[safe(str(cell)).replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(header)]
    lines = [paint(_line(header, widths), "bold", sys.stdout), *(_line(row, widths) for row in cells)]
    _write(sys.stdout, "\n".join(lines) + "\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
    return "  ".join([*padded, cells[-1]]).rstrip()


def out_markdown(text: str) -> None:
    """Write an answer: rendered in a coloured terminal, as it is otherwise."""
    if not (sys.stdout.isatty() and has_color(sys.stdout)):
        out(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(file=sys.stdout, soft_wrap=False).print(Markdown(safe(text), hyperlinks=False))


def out_fields(fields: Mapping[str, object]) -> None:
    """Write names and values, one a line."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        out(f"{name.ljust(width)}  {value}")


def event_line(value: object) -> None:
    """Write one JSON document to stdout on a line of its own, as it happens."""
    _write(sys.stdout, json.dumps(value, ensure_ascii=True, default=str) + "\n")


def _write(stream: TextIO, text: str) -> None:
    """Write and flush; a failing stderr costs only the talk, a failing stdout ends the command."""
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError as error:
        silence(stream)
        if stream is sys.stderr:
            return
        if isinstance(error, BrokenPipeError):
            raise ReaderGoneError from None
        raise AkiliError(f"standard output cannot be written: {error.strerror}") from error


def silence(stream: TextIO) -> None:
    """Send the rest of a stream nowhere, also what the interpreter would try to write at its end."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
