"""A text as it reads once what is escaped in it is written out, with the way back to the places in the original."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

_MAX_LEVELS = 4
_PERCENT = re.compile(r"%(?:25)*([0-9a-fA-F]{2})")
_HEX = re.compile(r"\\+x([0-9a-fA-F]{2})")
_OCTAL = re.compile(r"\\+(0[0-3][0-7]{2}|[0-3][0-7]{2})")
_UNICODE = re.compile(r"\\+u(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))")
_WIDE = re.compile(r"\\+U([0-9a-fA-F]{8})")
_QUOTED = re.compile(r"=([0-9a-fA-F]{2})")
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}
_INVISIBLE = "\x00\u00ad\u200b-\u200f\u2060\ufeff"

_ESCAPED = re.compile(
    r"(?P<percent>(?:%(?:25)*[0-9a-fA-F]{2})++)"
    r"|(?P<hex>(?<!\\)(?:\\++x[0-9a-fA-F]{2})++)"
    r"|(?P<unicode>(?<!\\)(?:\\++u(?:\{[0-9a-fA-F]{1,6}\}|[0-9a-fA-F]{4}))++)"
    r"|(?P<wide>(?<!\\)(?:\\++U[0-9a-fA-F]{8})++)"
    r"|(?P<octal>(?<!\\)(?:\\++(?:0[0-3][0-7]{2}|[0-3][0-7]{2}))++)"
    r"|(?P<fold>(?<!\\)(?:\\{3}){1,4}n[ \t]{0,99})"
    r"|(?P<plain>(?<!\\)\\++(?:[nrt]|\r?\n(?:[ \t]{2,99})?|[^A-Za-z0-9]))"
    r"|(?P<html>&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-z]{2,6});?)"
    rf"|(?P<nothing>\x1b\[[0-9;:?]{{0,20}}[A-Za-z]|[{_INVISIBLE}])"
)
_MAIL_FOLD = r"(?P<nothing>=[ \t]{0,4}(?:\\+r)?(?:\r?\n|\\+n))"
_MAIL = (re.compile(_MAIL_FOLD), re.compile(rf"(?P<mail>(?:=[0-9A-F]{{2}})++)|{_MAIL_FOLD}"))
_MAIL_SIGNS = re.compile(r"=(?:3D|[0-9A-F]{2}=[0-9A-F]{2}|[ \t]{0,4}(?:[\r\n]|\\+[rn])|\?)")
_DUMP_SIGN = re.compile(r"000[0-9a-fA-F]{0,13}(?::?[ \t]{1,4}[0-9a-fA-F]{2,8}(?=[ \t\n])| {2}[ \\]\S)")
_DUMP_LINE = r"[ \t]{0,8}[0-9a-fA-F]{4,16}:?(?:[ \t]{1,4}[0-9a-fA-F]{2,8}){1,32}+(?![^\s|])[^\n]{0,200}(?:\n|\Z)"
_BEGIN = r"(?<![^\s\"'=>(\[])"
_COLUMN = r"(?: {3}\S| {2}\\[0-9a-z]| [0-7]{3}| {4})"
_DUMPS = (
    re.compile(rf"{_BEGIN}(?P<columns>(?:[0-7]{{7,12}}{_COLUMN}{{1,16}}(?:\n|\Z))++)"),
    re.compile(rf"{_BEGIN}(?P<dump>(?:{_DUMP_LINE})++)"),
)
_DUMP_BYTES = 16
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_MARKS = "%\\&\x1b\x00\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a text: ``text`` is what it says, ``source`` tells where a piece of that came from."""

    text: str
    _begins: Sequence[int]
    _spans: Sequence[tuple[int, int, int]]
    _below: View | None

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Give begin and end, in the original, of what reads as ``text[start:end]``; whole escapes only."""
        first, last = self._place(start)[0], self._place(end - 1)[1]
        return self._below.source(first, last) if self._below else (first, last)

    def _place(self, at: int) -> tuple[int, int]:
        number = bisect_right(self._begins, at) - 1
        start, end, chars = self._spans[number]
        if chars != end - start:
            return start, end
        start += at - self._begins[number]
        return start, start + 1


def views(text: str) -> Iterator[View]:
    """Give the readings of a text that differ from it: percent, backslash and HTML escapes written out, level after
    level, invisible characters and colours left out; and quoted-printable.
    """
    view: View | None = None
    yield from _dumped(text, None)
    for _ in range(_MAX_LEVELS):
        deeper = _read(view.text if view else text, _MARKS, _ESCAPED, view)
        if deeper is None:
            break
        view = deeper
        yield view
        yield from _dumped(view.text, view)
    if "=" in text and _MAIL_SIGNS.search(text):
        for pattern in _MAIL:
            if view := _read(text, "=", pattern, None):
                yield view


def _dumped(text: str, below: View | None) -> Iterator[View]:
    if _DUMP_SIGN.search(text):
        for pattern in _DUMPS:
            if view := _rewritten(text, pattern.finditer(text), below):
                yield view


def _read(text: str, marks: str, pattern: re.Pattern[str], below: View | None) -> View | None:
    present = "".join(mark for mark in marks if mark in text)
    return _rewritten(text, _at_marks(text, present, pattern), below) if present else None


def _at_marks(text: str, marks: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    at = 0
    for mark in _any_of(marks).finditer(text):
        if mark.start() >= at and (match := pattern.match(text, mark.start())):
            at = match.end()
            yield match


def _rewritten(text: str, matches: Iterator[re.Match[str]], below: View | None) -> View | None:
    pieces: list[str] = []
    spans: list[tuple[int, int, int]] = []
    at = 0
    for match in matches:
        start, end = match.span()
        said = _SAID[match.lastgroup or ""](match.group())
        if start > at:
            pieces.append(text[at:start])
            spans.append((at, start, start - at))
        if said:
            pieces.append(said)
            spans.append((start, end, -1))
        at = end
    if at == 0:
        return None
    if at < len(text):
        pieces.append(text[at:])
        spans.append((at, len(text), len(text) - at))
    read = "".join(pieces)
    return None if read == text else View(read, [0, *accumulate(map(len, pieces))][:-1], spans, below)


@lru_cache(maxsize=64)
def _any_of(chars: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(chars)}]")


def _octets(pattern: re.Pattern[str], base: int) -> Callable[[str], str]:
    def said(run: str) -> str:
        octets = bytes(int(digits, base) & 0xFF for digits in pattern.findall(run))
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return octets.decode("latin-1")

    return said


def _units(run: str) -> str:
    codes = [int(long or short, 16) for long, short in _UNICODE.findall(run)]
    text = "".join(chr(code) for code in codes if code < 0x110000)  # noqa: PLR2004 - the end of Unicode
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _wide(run: str) -> str:
    codes = [int(digits, 16) for digits in _WIDE.findall(run)]
    return "".join(chr(code) for code in codes if code < 0x110000)  # noqa: PLR2004 - the end of Unicode


def _dump(lines: str) -> str:
    """Read the lines of a hex dump; groups of four digits after an offset without colon hold swapped bytes."""
    octets = bytearray()
    for line in lines.splitlines():
        offset, *groups = line.split()
        row = bytearray()
        for group in groups:
            if len(row) >= _DUMP_BYTES or len(group) % 2 or not _HEX_DIGITS.issuperset(group):
                break
            found = bytes.fromhex(group)
            row += found[::-1] if len(group) == 4 and not offset.endswith(":") else found  # noqa: PLR2004 - two bytes
        octets += row
    return octets.decode("utf-8", "replace")


def _columns(lines: str) -> str:
    """Read lines of characters, escapes and octal numbers in columns."""
    octets = bytearray()
    for line in lines.splitlines():
        columns = line[re.match(r"[0-7]*", line).end() :]  # type: ignore[union-attr] # it matches nothing at least
        for at in range(0, len(columns), 4):
            said = columns[at : at + 4].strip() or " "
            octets += bytes([int(said, 8) & 0xFF]) if len(said) == 3 else (_plain(said) if said[1:] else said).encode()  # noqa: PLR2004 - three octal digits
    return octets.decode("utf-8", "replace")


def _plain(run: str) -> str:
    return "" if "\n" in run and run[-1] in "\n \t" else _NAMED.get(run[-1], run[-1])


_SAID: dict[str, Callable[[str], str]] = {
    "percent": _octets(_PERCENT, 16),
    "hex": _octets(_HEX, 16),
    "octal": _octets(_OCTAL, 8),
    "unicode": _units,
    "wide": _wide,
    "columns": _columns,
    "dump": _dump,
    "fold": lambda _run: "",  # a line that goes on after a backslash, written as JSON
    "plain": _plain,
    "html": html.unescape,
    "mail": _octets(_QUOTED, 16),
    "nothing": lambda _run: "",
}
