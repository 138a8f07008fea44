"""Regular expressions that runbooks may use: short, and unable to blow up on hostile output."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field

MAX_PATTERN = 400
MAX_TEXT = 20_000
MAX_LINE = 2_000
MAX_DEGREE = 2
LONG_REPEAT = 16

_PIECE = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[im]+\)|\(\?P<\w+>|\(\?:|\(\?.?|\(|\)|\||[*+?]|\{\d*,?\d*\}|.", re.DOTALL
)
_REPEAT = re.compile(r"[*+?]|\{(?P<low>\d*)(?P<comma>,?)(?P<high>\d*)\}")
_GROUP = re.compile(r"\(|\(\?:|\(\?P<\w+>")
_ZERO_WIDTH = frozenset((r"\b", r"\B", r"\A", r"\Z", "^", "$"))
_SAMPLE = [chr(code) for code in range(128)] + ["é", "λ", "\u2028"]

Chars = frozenset[str]


def check_pattern(pattern: str) -> str:
    """Give the pattern back, or raise ``ValueError`` saying why it is not used.

    Refused: what does not compile, what is longer than 400 characters, back references, look-arounds, a
    repeated group that itself holds a repeat or an alternative (exponential time), and repeats that can take
    each other's characters so that the time grows faster than the square of a line.
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if re.search(r"\\[1-9]", pattern):
        raise ValueError("back references are not supported")
    reading = _Reading(_PIECE.findall(pattern))
    reading.sequence()
    if reading.worst + (0 if _anchored(pattern) else 1) > MAX_DEGREE:
        raise ValueError(
            "repeats that can take each other's characters are too slow; start with ^ or put between them "
            "something that they cannot match"
        )
    return pattern


def _anchored(pattern: str) -> bool:
    return re.match(r"(?:\(\?[im]+\))?(?:\^|\\A)", pattern) is not None and "|" not in re.sub(
        r"\([^()]*\)", "", pattern
    )


def _chars(piece: str) -> Chars:
    """Give the characters of a sample that one piece matches."""
    found = re.compile(piece, re.IGNORECASE)
    return frozenset(char for char in _SAMPLE if found.fullmatch(char))


@dataclass(slots=True)
class _Reading:
    """Reads a pattern piece by piece.

    ``open`` holds the repeats whose end is not pinned yet: nothing that must follow is outside what they can
    match. Their greatest number is the degree of the pattern's worst time.
    """

    pieces: list[str]
    at: int = 0
    worst: int = 0
    open: list[Chars] = field(default_factory=list)

    def sequence(self) -> tuple[Chars, bool]:
        """Read to the end of the group; gives all its characters, and whether it repeats or branches."""
        before = list(self.open)
        ends: list[list[Chars]] = []
        chars: Chars = frozenset()
        branching = False
        while self.at < len(self.pieces) and self.pieces[self.at] != ")":
            piece = self.pieces[self.at]
            self.at += 1
            if piece == "|":
                ends.append(self.open)
                self.open = list(before)
                branching = True
                continue
            more, repeats = self.item(piece)
            chars |= more
            branching = branching or repeats
        self.open = max([*ends, self.open], key=len)
        return chars, branching

    def item(self, piece: str) -> tuple[Chars, bool]:
        if piece in _ZERO_WIDTH or re.fullmatch(r"\(\?[im]+\)", piece):
            return frozenset(), False
        if not _GROUP.fullmatch(piece):
            if piece.startswith("(?"):
                raise ValueError("look-arounds and flags other than (?i) and (?m) are not supported")
            chars = _chars(piece)
            least, long = self.repeat()
            self.meet(chars, least, long)
            return chars, long
        before = list(self.open)
        chars, branching = self.sequence()
        self.at += 1  # the closing parenthesis
        least, long = self.repeat()
        if long and branching:
            raise ValueError("a repeated group must not hold a repeat or an alternative")
        if long:
            self.open = before
            self.meet(chars, least, long)
        elif least == 0:
            self.open = max(before, self.open, key=len)
        return chars, branching or long

    def repeat(self) -> tuple[int, bool]:
        """Read what repeats the piece before; gives the least number, and whether the greatest is large."""
        found = _REPEAT.fullmatch(self.pieces[self.at]) if self.at < len(self.pieces) else None
        if found is None:
            return 1, False
        self.at += 1
        if self.at < len(self.pieces) and self.pieces[self.at] == "?":
            self.at += 1  # lazy
        sign = found.group()
        if sign in "*+?":
            return int(sign == "+"), sign != "?"
        low = int(found["low"] or 0)
        high = int(found["high"]) if found["high"] else LONG_REPEAT + 1 if found["comma"] else low
        return low, high > LONG_REPEAT

    def meet(self, chars: Chars, least: int, long: bool) -> None:
        if least > 0:
            self.open = [one for one in self.open if one & chars]
        if long:
            self.open.append(chars)
            self.worst = max(self.worst, len(self.open))


def bounded(text: str) -> str:
    """Cut a text to what patterns are run on: 20,000 characters, lines of 2,000."""
    return "\n".join(line[:MAX_LINE] for line in text[:MAX_TEXT].split("\n"))
