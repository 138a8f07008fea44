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
_OCTAL = re.compile(r"\\+0?([0-7]{3})")
_UNICODE = re.compile(r"\\+u(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))")
_WIDE = re.compile(r"\\+U([0-9a-fA-F]{8})")
_QUOTED = re.compile(r"=([0-9a-fA-F]{2})")
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}
_INVISIBLE = "\x00\u00ad\u200b-\u200f\u2060\ufeff"

_ESCAPED = re.compile(
    r"(?P<percent>(?:%(?:25)*[0-9a-fA-F]{2})++)"
    r"|(?P<hex>(?:\\++x[0-9a-fA-F]{2})++)"
    r"|(?P<unicode>(?:\\++u(?:\{[0-9a-fA-F]{1,6}\}|[0-9a-fA-F]{4}))++)"
    r"|(?P<wide>(?:\\++U[0-9a-fA-F]{8})++)"
    r"|(?P<octal>(?:\\++0?[0-7]{3})++)"
    r"|(?P<plain>\\++[^ux0-7])"
    r"|(?P<html>&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-z]{2,6});?)"
    rf"|(?P<nothing>\x1b\[[0-9;:?]{{0,20}}[A-Za-z]|[{_INVISIBLE}])"
)
_MAIL = re.compile(r"(?P<mail>(?:=[0-9a-fA-F]{2})++)|(?P<nothing>=[ \t]{0,4}\r?\n)")
_MAIL_SIGNS = re.compile(r"=(?:3D|[0-9A-F]{2}=[0-9A-F]{2}|[ \t]{0,4}\r?\n|\?)")
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
    for _ in range(_MAX_LEVELS):
        deeper = _read(view.text if view else text, _MARKS, _ESCAPED, view)
        if deeper is None:
            break
        view = deeper
        yield view
    if "=" in text and _MAIL_SIGNS.search(text) and (view := _read(text, "=", _MAIL, None)):
        yield view


def _read(text: str, marks: str, pattern: re.Pattern[str], below: View | None) -> View | None:
    present = "".join(mark for mark in marks if mark in text)
    if not present:
        return None
    pieces: list[str] = []
    spans: list[tuple[int, int, int]] = []
    at = 0
    for mark in _any_of(present).finditer(text):
        start = mark.start()
        if start < at or (match := pattern.match(text, start)) is None:
            continue
        end = match.end()
        kind = match.lastgroup or ""
        said = _SAID[kind](match.group())
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


def _plain(run: str) -> str:
    return _NAMED.get(run[-1], run[-1])


_SAID: dict[str, Callable[[str], str]] = {
    "percent": _octets(_PERCENT, 16),
    "hex": _octets(_HEX, 16),
    "octal": _octets(_OCTAL, 8),
    "unicode": _units,
    "wide": _wide,
    "plain": _plain,
    "html": html.unescape,
    "mail": _octets(_QUOTED, 16),
    "nothing": lambda _run: "",
}
