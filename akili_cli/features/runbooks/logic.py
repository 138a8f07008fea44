"""Decides which runbook fits a message: pure rules over what the full-text index found."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from akili_cli.features.runbooks.model import Match, Runbook

KEYWORDS = "keywords: "

_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    """
    a about all also am an and any are as ask at be been but by can check could did do does doing
    for from get give had has have how i if in into is it its just let look make me my need not of
    on one or our out please see shall should show so some tell than that the their them then there
    these they this to up us want was we were what when where which while who why will with would
    you your whats
    """.split()  # noqa: SIM905 - readable as prose
)
_KEY, _PART, _BODY, _PHRASE = 1.0, 0.6, 0.15, 0.15
_FULL_TEXT = 0.05
_PLACE = 0.3
_PLACES = frozenset(("box", "computer", "host", "machin", "nod", "server", "system", "vm"))
_FENCE = re.compile(r"^(\s*[>\-*]?\s*)(`{3,}|~{3,})[^\n]*\bakili\b.*?^\s*[>]?\s*\2\s*$", re.DOTALL | re.MULTILINE)


def index_body(runbook: Runbook) -> str:
    """Give the text that is indexed: keywords, description and prose, without the steps."""
    prose = _FENCE.sub("", runbook.body)
    return f"{KEYWORDS}{'; '.join(runbook.front.keywords)}\n{runbook.front.description}\n{prose}"


def content_words(text: str) -> list[str]:
    """Give the words that carry meaning, stemmed, each once, in order."""
    words = [word for word in _WORD.findall(text.casefold()) if word not in _STOP and len(word) > 1]
    return list(dict.fromkeys(stem(word) for word in words))


def stem(word: str) -> str:
    """Cut the commonest English endings, so that ``failing`` meets ``failed`` and ``disks`` meets ``disk``."""
    if len(word) > 4 and word.endswith("ies"):  # noqa: PLR2004 - shorter words keep their ending
        return word[:-3] + "y"
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):  # noqa: PLR2004
            return stem(word[: -len(ending)]) if ending == "s" else word[: -len(ending)]
    return word


def rank(message: str, rows: Sequence[Mapping[str, object]], *, limit: int, threshold: float) -> tuple[Match, ...]:
    """Score the index rows against a message; best first, ties by name, only above the threshold.

    From 0 to 1 by the share of the message's words that a runbook's name, category and keywords hold; words
    of longer keywords and of the prose count less, rare words more. A runbook that is named in full gets one
    point on top.
    """
    words = content_words(message)
    if not words:
        return ()
    entries = [_Entry(row) for row in rows]
    best = max((entry.found for entry in entries), default=0.0) or 1.0
    matches = []
    for entry in entries:
        score = sum(entry.weight(word) * _rarity(word, entries) * _importance(word) for word in words)
        score /= sum(_importance(word) for word in words)
        score += _PHRASE * entry.phrases(message)
        score = min(score, 1.0 - _FULL_TEXT) + _FULL_TEXT * max(entry.found, 0.0) / best
        if entry.named(message):
            score += 1.0
        matches.append(Match(entry.slug, entry.name, entry.category, entry.path, round(score, 4)))
    matches.sort(key=lambda match: (-match.score, match.name))
    return tuple(match for match in matches if match.score > threshold)[:limit]


def _importance(word: str) -> float:
    return _PLACE if word in _PLACES else 1.0


def _rarity(word: str, entries: Sequence[_Entry]) -> float:
    holding = sum(1 for entry in entries if word in entry.keys)
    if len(entries) < 2 or not holding:  # noqa: PLR2004 - rarity needs something to compare with
        return 1.0
    return 0.5 + 0.5 * math.log(1 + len(entries) / holding) / math.log(1 + len(entries))


class _Entry:
    """One index row, cut into words once."""

    def __init__(self, row: Mapping[str, object]) -> None:
        self.path = str(row["path"])
        self.slug = str(row.get("slug", ""))
        self.name = str(row["name"])
        self.category = str(row["category"])
        self.found = float(str(row.get("score") or 0.0))
        head, _, prose = str(row["body"]).partition("\n")
        self.keywords = [one.strip() for one in head.removeprefix(KEYWORDS).split(";") if one.strip()]
        single = [one for one in self.keywords if len(_WORD.findall(one)) == 1]
        self.keys = set(content_words(" ".join([self.name, self.slug, self.category, *single])))
        self.parts = set(content_words(" ".join(self.keywords))) - self.keys
        self.words = set(content_words(prose))

    def weight(self, word: str) -> float:
        """Give how much one word of the message says for this runbook."""
        if word in self.keys:
            return _KEY
        if word in self.parts:
            return _PART
        return _BODY if word in self.words else 0.0

    def phrases(self, message: str) -> int:
        """Count the keywords of several words that stand in the message as written."""
        said = _flat(message)
        return sum(1 for one in self.keywords if " " in one and _flat(one) in said)

    def named(self, message: str) -> bool:
        """Tell whether the message names the runbook in full, as whole words."""
        said = _flat(message)
        return any(_flat(one) in said for one in (self.name, self.slug) if one)


def _flat(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "
