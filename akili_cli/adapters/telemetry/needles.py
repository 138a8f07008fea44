"""Registered values in every form they travel in, and the quick ways to find them in a text."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

MIN_SECRET_CHARS = 6
_JSON_LEVELS = 4
_GRAM = 4
_LONG_TEXT = 48
_MIN_HELD = 3
_BETWEEN = re.compile(r"\\+[nrtx]|0x")
_SEPARATORS = str.maketrans("", "", " \t\r\n:,%-")
_SEPARATOR_CHARS = frozenset(" \t\r\n:,%-")
_LOOSE = r"(?:[\s:,%\-]|\\+[nrtx]|0x)*"


class Needle:
    """One way a registered value may be written; compared in lower case.

    A loose one (hex, Base64) is also found with what dumps and wrapped lines put between its characters.
    """

    __slots__ = ("_pattern", "dense", "loose", "low", "name")

    def __init__(self, written: str, name: str, *, loose: bool) -> None:
        """Keep the form and the name it is shown under."""
        self.low = written.lower()
        self.name = name
        self.loose = loose
        self.dense = self.low.translate(_SEPARATORS) if loose else self.low
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
    plain.add(quote_plus(raw))
    dense = {raw.hex(), *_base64_cores(raw)}
    return [
        *(Needle(text, name, loose=False) for text in plain if len(text) >= MIN_SECRET_CHARS),
        *(Needle(text, name, loose=True) for text in dense if len(text) >= MIN_SECRET_CHARS),
    ]


def _base64_cores(raw: bytes) -> Iterable[str]:
    """Give the characters a value surely has inside longer Base64, at each of the three alignments."""
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + raw).decode()
        bits = 8 * (lead + len(raw))
        core = text[-(-8 * lead // 6) : bits // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")


@dataclass(frozen=True, slots=True)
class Needles:
    """All forms of all values, indexed.

    A text is first compared by its four-byte pieces: any piece of a text at an even place that also occurs
    in a needle names the needles worth searching for, so the cost does not grow with the number of values.
    """

    longest_first: tuple[Needle, ...] = ()
    _grams: dict[int, tuple[Needle, ...]] = field(default_factory=dict)
    _dense_grams: dict[int, tuple[Needle, ...]] = field(default_factory=dict)
    _always: tuple[Needle, ...] = ()
    _spaced: tuple[str, ...] = ()
    _dense: tuple[str, ...] = ()
    _longest_chars: int = 0

    @classmethod
    def of(cls, needles: Iterable[Needle]) -> Needles:
        """Index needles; equal forms count once."""
        unique = {needle.low: needle for needle in needles}
        ordered = tuple(sorted(unique.values(), key=lambda needle: (-len(needle.low), needle.low)))
        grams: dict[int, list[Needle]] = {}
        dense_grams: dict[int, list[Needle]] = {}
        always = []
        for needle in ordered:
            if len(_bytes(needle.low)) <= _GRAM or len(_bytes(needle.dense)) <= _GRAM:
                always.append(needle)
                continue
            for gram in _all_grams(needle.low):
                grams.setdefault(gram, []).append(needle)
            if needle.loose:
                for gram in _all_grams(needle.dense):
                    dense_grams.setdefault(gram, []).append(needle)
        spaced = {needle.low for needle in ordered if any(char.isspace() for char in needle.low)}
        dense = {needle.dense for needle in ordered if needle.loose}
        return cls(
            ordered,
            {gram: tuple(found) for gram, found in grams.items()},
            {gram: tuple(found) for gram, found in dense_grams.items()},
            tuple(always),
            tuple(sorted(spaced)),
            tuple(sorted(dense)),
            max((len(needle.low) for needle in ordered), default=0),
        )

    def found_in(self, low: str) -> tuple[Needle, ...]:
        """Give the needles that occur in a text given in lower case, the longest first."""
        found = tuple(needle for needle in self._candidates(low, self._grams) if needle.low in low)
        if found or len(low) <= MIN_SECRET_CHARS:
            return found
        dense = dense_of(low)
        if dense == low:
            return ()
        candidates = self._candidates(dense, self._dense_grams)
        return tuple(needle for needle in candidates if needle.loose and needle.dense in dense)

    def _candidates(self, low: str, index: dict[int, tuple[Needle, ...]]) -> Iterable[Needle]:
        if len(low) < _LONG_TEXT:
            return self.longest_first
        raw, known = _bytes(low), index.__contains__
        shared = {*filter(known, _aligned(raw)), *filter(known, _aligned(raw[2:]))}
        if not shared:
            return self._always
        wanted = {id(needle) for gram in shared for needle in index[gram]} | {id(needle) for needle in self._always}
        return [needle for needle in self.longest_first if id(needle) in wanted]

    def held_chars(self, text: str) -> int:
        """Give how many last characters of a text may be the beginning of a value that spans several words."""
        low = text[-2 * self._longest_chars :].lower() if self._longest_chars else ""
        longest = _prefix_chars(low, self._spaced)
        pieces = list(_dense_places(low))
        dense = "".join(char for char, _ in pieces)
        count = _prefix_chars(dense, self._dense)
        if count >= _MIN_HELD:
            longest = max(longest, len(low) - pieces[-count][1])
        return longest


def dense_of(text: str) -> str:
    """Drop what hex dumps and wrapped Base64 have between their characters."""
    return (_BETWEEN.sub("", text) if "\\" in text or "0x" in text else text).translate(_SEPARATORS)


def _dense_places(low: str) -> Iterator[tuple[str, int]]:
    """Give the characters that ``dense_of`` keeps, each with its place."""
    at = 0
    for between in _BETWEEN.finditer(low):
        yield from ((low[i], i) for i in range(at, between.start()) if low[i] not in _SEPARATOR_CHARS)
        at = between.end()
    yield from ((low[i], i) for i in range(at, len(low)) if low[i] not in _SEPARATOR_CHARS)


def _prefix_chars(text: str, ordered: tuple[str, ...]) -> int:
    """Give the length of the longest end of a text that begins one of the sorted forms."""
    if not ordered:
        return 0
    for start in range(len(text)):
        end = text[start:]
        at = bisect_left(ordered, end)
        if at < len(ordered) and ordered[at].startswith(end):
            return len(end)
    return 0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _all_grams(text: str) -> set[int]:
    raw = _bytes(text)
    return {gram for start in range(_GRAM) for gram in _aligned(raw[start:])}


def _aligned(raw: bytes) -> memoryview:
    return memoryview(raw[: len(raw) // _GRAM * _GRAM]).cast("I")
