"""Regular expressions that runbooks may use: short, and unable to blow up on hostile output."""

from __future__ import annotations

import re

MAX_PATTERN = 400
MAX_WILDCARDS = 3
MAX_TEXT = 32_768
MAX_LINE = 2_000

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+\)|\(|\)|\||[*+?]|\{\d*,?\d*\}|.", re.DOTALL)
_REPEAT = re.compile(r"[*+]|\{\d*,?\d*\}")
_WIDE = (".", r"\S", r"\D", r"\W")


def check_pattern(pattern: str) -> str:
    """Give the pattern back, or raise ``ValueError`` saying why it is not used.

    Refused: what does not compile, what is longer than 400 characters, a repeated group that itself holds
    a repeat or an alternative (exponential time), back references, and more than three repeated wildcards.
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN} characters")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if re.search(r"\\[1-9]|\(\?P=", pattern):
        raise ValueError("back references are not supported")
    _check_repeats(pattern)
    return pattern


def _check_repeats(pattern: str) -> None:
    branching = [False]  # one entry per open group: does it hold a repeat or an alternative
    closed = False
    wildcards = 0
    before = ""
    for piece in _PIECE.findall(pattern):
        repeat = bool(_REPEAT.fullmatch(piece)) and bool(before)
        if repeat and before == ")" and closed:
            raise ValueError("a repeated group must not hold a repeat or an alternative")
        if repeat and (before in _WIDE or before.startswith("[^") or re.search(r"\\[sSdDwW].*\\", before)):
            wildcards += 1
        if piece == "(":
            branching.append(False)
        elif piece == ")" and len(branching) > 1:
            closed = branching.pop()
            branching[-1] = branching[-1] or closed
        elif repeat or piece == "|":
            branching[-1] = True
        before = piece
    if wildcards > MAX_WILDCARDS:
        raise ValueError(f"more than {MAX_WILDCARDS} repeated wildcards")


def bounded(text: str) -> str:
    """Cut a text to what patterns are run on: 32 KiB, lines of 2,000 characters."""
    return "\n".join(line[:MAX_LINE] for line in text[:MAX_TEXT].split("\n"))
