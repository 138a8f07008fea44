"""Registered values in every form they travel in, and the quick ways to find them in a text."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
import shlex
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, quote_plus

from akili_cli.adapters.telemetry.escapes import views

MIN_SECRET_CHARS = 6
_JSON_LEVELS = 4
_HEAD = 3
_BETWEEN = re.compile(r"(?<!\\)\\++[nrtx]|0x")
_SLASHED = re.compile(r"(?<!\\)\\++[nrtx]")
_UNFINISHED = re.compile(
    r"(?:(?<!\\)\\++(?:[uU]\{?[0-9a-fA-F]{0,7}|x[0-9a-fA-F]?|[0-7]{0,2})|%(?:25)*[0-9a-fA-F]?|&#?[0-9a-zA-Z]{0,7}|=[0-9a-fA-F]?"
    r"|0x?)\Z"
)
_APART = " \t\r\n:,%-._;|"
_SEPARATORS = str.maketrans("", "", _APART)
_SEPARATOR_CHARS = frozenset(_APART)
_LOOSE = r"(?:[\s:,%\-._;|]|\\++[nrtx]|0x)*"
# From how many bytes on a needle surely holds a piece of so many bytes (and type code) at every so-manieth place.
_STRIDES: tuple[tuple[int, int, Literal["I", "Q"], int], ...] = (
    (39, 8, "Q", 32),
    (23, 8, "Q", 16),
    (15, 8, "Q", 8),
    (11, 4, "I", 8),
    (7, 4, "I", 4),
    (5, 4, "I", 2),
)


class Needle:
    """One way a registered value may be written; compared in lower case.

    A loose one (hex, Base64) is also found with what dumps and wrapped lines put between its characters.
    """

    __slots__ = ("_pattern", "dense", "dense_raw", "loose", "low", "name")

    def __init__(self, written: str, name: str, *, loose: bool) -> None:
        """Keep the form and the name it is shown under."""
        self.low = written.lower()
        self.name = name
        self.loose = loose
        self.dense = self.low.translate(_SEPARATORS) if loose else self.low
        self.dense_raw = _bytes(self.dense)
        self._pattern: re.Pattern[str] | None = None

    def pattern(self) -> re.Pattern[str]:
        """Compile on first use: most needles are never found."""
        if self._pattern is None:
            chars = [re.escape(char) for char in self.dense]
            if self.loose:
                self._pattern = re.compile(_LOOSE.join(chars) + r"=*", re.IGNORECASE)
            else:
                self._pattern = re.compile("".join(chars), re.IGNORECASE)
        return self._pattern


def needles_of(secret: str, name: str) -> list[Needle]:
    """Give every form of a value that is worth looking for."""
    plain = {secret, secret.upper(), secret.lower(), secret.casefold(), html.escape(secret)}
    plain.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    plain.add(json.dumps(secret)[1:-1].replace("/", "\\/"))
    escaped = secret
    for _ in range(_JSON_LEVELS):
        escaped = json.dumps(escaped)[1:-1]
        plain.add(escaped)
    plain.add(shlex.quote(secret).removeprefix("'").removesuffix("'"))
    raw = secret.encode("utf-8", "surrogatepass")
    for safe in ("", "/", "!~*'()", ":/?#[]@!$&'()*+,;=~"):
        once = quote(raw, safe=safe)
        plain |= {once, quote(once, safe="")}
    plain |= {quote_plus(raw), secret.replace('"', '""'), secret.replace("'", "''")}
    plain.add(quopri.encodestring(raw, quotetabs=True).decode("ascii"))
    plain |= {secret.replace("\\", ""), *(view.text for view in views(secret))}
    wide = secret.encode("utf-16-le", "surrogatepass")
    dense = {raw.hex(), wide.hex(), "".join(map(str, raw)), *_base32_cores(raw)}
    for octets in {raw, wide, json.dumps(secret)[1:-1].encode()}:
        for core in _base64_cores(octets):
            dense |= {core, core.replace("+", "-").replace("/", "_"), *_base64_cores(core.encode())}
    return [
        *(Needle(text, name, loose=False) for text in plain if len(text) >= MIN_SECRET_CHARS),
        *(Needle(text, name, loose=True) for text in dense if len(text) >= MIN_SECRET_CHARS),
    ]


def _base64_cores(raw: bytes) -> Iterator[str]:
    """Give the characters a value surely has inside longer Base64, at each of the three alignments."""
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + raw).decode()
        yield text[-(-8 * lead // 6) : 8 * (lead + len(raw)) // 6]


def _base32_cores(raw: bytes) -> Iterator[str]:
    for lead in range(5):
        text = base64.b32encode(bytes(lead) + raw).decode()
        yield text[-(-8 * lead // 5) : 8 * (lead + len(raw)) // 5]


_FEW = 64  # needles times stride up to which looking for each of them costs less


class _Pieces:
    """Needles of about the same length, found by the pieces of a text at every so-manieth place.

    Whichever text holds such a needle has one of the needle's own pieces there, so one look at each place finds all
    candidates, however many needles there are.
    """

    __slots__ = ("_code", "_size", "_stride", "index", "known", "needles")

    def __init__(self, size: int, code: Literal["I", "Q"], stride: int) -> None:
        self._size = size
        self._code: Literal["I", "Q"] = code
        self._stride = stride
        self.index: dict[int, list[Needle]] = {}
        self.known: frozenset[int] = frozenset()
        self.needles: list[Needle] = []

    def add(self, needle: Needle, raw: bytes) -> None:
        self.needles.append(needle)
        size, index = self._size, self.index
        span = max(self._stride // size, 1) * size
        for start in range(min(self._stride, size)):
            for piece in memoryview(raw[start : start + span]).cast(self._code):
                index.setdefault(piece, []).append(needle)

    def candidates(self, raw: bytes) -> Iterator[Needle]:
        if len(self.needles) * self._stride <= _FEW:
            yield from self.needles
            return
        step = max(self._stride // self._size, 1)
        for start in range(0, self._size, min(self._stride, self._size)):
            end = start + (len(raw) - start) // self._size * self._size
            for piece in self.known.intersection(memoryview(raw)[start:end].cast(self._code)[::step]):
                yield from self.index[piece]


class _Begins:
    """The forms whose beginning may stand at the end of a text."""

    __slots__ = ("_forms", "_heads", "longest")

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = sorted(forms)
        self._heads = {form[:_HEAD] for form in self._forms}
        self.longest = max(map(len, self._forms), default=0)

    def chars(self, text: str) -> int:
        """Give the length of the longest end of a text that begins one of the forms."""
        for start in range(max(len(text) - self.longest, 0), len(text)):
            if len(text) - start >= _HEAD and text[start : start + _HEAD] not in self._heads:
                continue
            end = text[start:]
            at = bisect_left(self._forms, end)
            if at < len(self._forms) and self._forms[at].startswith(end):
                return len(end)
        return 0


def _indexed(written: Iterable[tuple[Needle, str]]) -> tuple[_Pieces, ...]:
    groups: dict[int, _Pieces] = {}  # by the least length of their needles
    for needle, text in written:
        raw = _bytes(text)
        for least, size, code, stride in _STRIDES:
            if len(raw) >= least:
                groups.setdefault(least, _Pieces(size, code, stride)).add(needle, raw)
                break
    for group in groups.values():
        group.known = frozenset(group.index)
    return tuple(groups.values())


@dataclass(frozen=True, slots=True)
class Needles:
    """All forms of all values, indexed, so that the cost of a search does not grow with their number."""

    longest_first: tuple[Needle, ...]
    _plain: tuple[_Pieces, ...]
    _loose: tuple[_Pieces, ...]
    _spaced: _Begins
    _written: _Begins
    _dense: _Begins

    @classmethod
    def of(cls, needles: Iterable[Needle]) -> Needles:
        """Index needles; equal forms count once."""
        unique = {needle.low: needle for needle in needles}
        ordered = tuple(sorted(unique.values(), key=lambda needle: (-len(needle.low), needle.low)))
        spaced = {needle.low for needle in ordered if any(char.isspace() for char in needle.low)}
        dense = {needle.dense for needle in ordered if needle.loose}
        return cls(
            ordered,
            _indexed((needle, needle.low) for needle in ordered if not needle.loose),
            _indexed((needle, needle.dense) for needle in ordered if needle.loose),
            _Begins(spaced),
            _Begins({needle.low for needle in ordered if not needle.loose}),
            _Begins(dense),
        )

    def found_in(self, low: str) -> list[Needle]:
        """Give the needles that occur in a text given in lower case, the longest first."""
        raw = _bytes(low)
        found = {needle.low: needle for needle in _candidates(self._plain, raw) if needle.low in low}
        for dense in _dense_readings(low, raw):
            found |= {needle.low: needle for needle in _candidates(self._loose, dense) if needle.dense_raw in dense}
        return sorted(found.values(), key=lambda needle: (-len(needle.low), needle.low))

    def held_chars(self, text: str) -> int:
        """Give how many last characters of a text may be the beginning of a value that spans several words.

        Also of one that is escaped or dumped, with an escape or a line at the end that is not whole yet. What else
        may stand at the end of a text stands in its last few words.
        """
        held = {
            len(known): self._held(known) for known in (text, _UNFINISHED.sub("", text), text[: text.rfind("\n") + 1])
        }
        return max((len(text) - chars + count for chars, count in held.items() if count), default=0)

    def _held(self, text: str) -> int:
        longest = max(self._spaced.chars(text.lower()), self._held_dense(text))
        for view in views(text):
            count = max(self._written.chars(view.text.lower()), self._held_dense(view.text))
            if count:
                longest = max(longest, len(text) - view.source(len(view.text) - count, len(view.text))[0])
        return longest

    def _held_dense(self, text: str) -> int:
        low, longest = text[-4 * self._dense.longest :].lower(), 0
        for between in (_BETWEEN, _SLASHED):
            pieces = list(_dense_places(low, between))
            count = self._dense.chars("".join(char for char, _ in pieces))
            if count >= _HEAD:
                longest = max(longest, len(low) - pieces[-count][1])
        return longest


def dense_of(text: str) -> str:
    """Drop what hex dumps and wrapped Base64 have between their characters."""
    return (_BETWEEN.sub("", text) if "\\" in text or "0x" in text else text).translate(_SEPARATORS)


def _dense_places(low: str, between: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """Give the characters that stay when what stands between them is dropped, each with its place."""
    at = 0
    for found in between.finditer(low):
        yield from ((low[i], i) for i in range(at, found.start()) if low[i] not in _SEPARATOR_CHARS)
        at = found.end()
    yield from ((low[i], i) for i in range(at, len(low)) if low[i] not in _SEPARATOR_CHARS)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _dense_readings(low: str, raw: bytes) -> Iterator[bytes]:
    """Give a text without what stands between characters; twice, for ``0x`` may also be a part of Base64."""
    yield raw.translate(None, _APART.encode())
    if "\\" in low or "0x" in low:
        yield _bytes(_BETWEEN.sub("", low)).translate(None, _APART.encode())


def _candidates(groups: tuple[_Pieces, ...], raw: bytes) -> set[Needle]:
    return {needle for group in groups for needle in group.candidates(raw)}
