"""The pure parts: texts cut to what a service takes, waiting times, what an answer's status means."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.features.notifications.model import Delivered, Failed, Message, Outcome, Retry

MAX_SUBJECT_CHARS = 200
MAX_BODY_CHARS = 65_536
MAX_WAIT_S = 86_400.0
QUOTED_BYTES = 512
_BACKOFF_S = 5.0
_GROWTH = 4.0
_MAX_BACKOFF_S = 900.0
_MAX_STEPS_BACK = 64
_CUT = "\n[cut: the message was longer]"
_TRY_AGAIN = frozenset({408, 425, 429})
_OK, _SERVER = range(200, 300), range(500, 600)
_JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")
Cost = Callable[[str], int]


def utf16_units(char: str) -> int:
    """Count a character as Telegram does: two beyond the basic plane."""
    return 1 if char <= "\uffff" else 2


def split_text(text: str, limit: int, cost: Cost) -> tuple[str, ...]:
    """Cut a text into pieces that cost at most ``limit`` each; joined they are the text again.

    A piece ends behind the last newline of its second half, where there is one, and never within a character or
    before a mark that belongs to the one before it.
    """
    pieces = []
    start = 0
    while start < len(text):
        end = _fitting(text, start, limit, cost)
        if end < len(text):
            end = _good_end(text, start, end)
        pieces.append(text[start:end])
        start = end
    return tuple(pieces) or ("",)


def _fitting(text: str, start: int, limit: int, cost: Cost) -> int:
    used, end = 0, start
    while end < len(text):
        used += cost(text[end])
        if used > limit:
            break
        end += 1
    return max(end, start + 1)


def _good_end(text: str, start: int, end: int) -> int:
    newline = text.rfind("\n", start + (end - start) // 2, end)
    if newline >= 0:
        return newline + 1
    for at in range(end, max(start, end - _MAX_STEPS_BACK), -1):
        if not (_is_mark(text[at]) or text[at - 1] == "\u200d"):
            return at
    return end


def _is_mark(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char).startswith("M") or "\U0001f3fb" <= char <= "\U0001f3ff"


def parts_of(message: Message, limit: int, cost: Cost) -> tuple[str, ...]:
    """Give a message (subject, blank line, body) in parts, each with its ``[Part i/n]`` line within the limit."""
    whole = f"{message.subject}\n\n{message.body}" if message.subject else message.body
    if sum(map(cost, whole)) <= limit:
        return (whole,)
    room = limit - sum(map(cost, part_mark(999, 999)))
    pieces = split_text(whole, room, cost)
    return tuple(part_mark(at, len(pieces)) + piece for at, piece in enumerate(pieces, 1))


def part_mark(number: int, count: int) -> str:
    """Give the line that begins one of several parts."""
    return f"[Part {number}/{count}]\n"


def with_bold_subject(
    message: Message, parts: tuple[str, ...], index: int, bold: Callable[[str], str], escape: Callable[[str], str]
) -> str:
    """Give a part as markup: the subject in bold where the first part begins with it, all text escaped."""
    mark = part_mark(1, len(parts)) if len(parts) > 1 else ""
    if index > 0 or not message.subject:
        return escape(parts[index])
    rest = parts[0][len(mark) + len(message.subject) :]
    return escape(mark) + bold(escape(message.subject)) + escape(rest)


def clean_subject(text: str) -> str:
    """Give one line without control characters, of at most 200 characters."""
    line = " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text).split())
    return _whole(line) if len(line) <= MAX_SUBJECT_CHARS else _whole(line[: MAX_SUBJECT_CHARS - 1]) + "\u2026"


def clean_body(text: str) -> str:
    """Give a text without control characters but newline and tab, of at most 65,536 characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")
    kept = _whole(kept)
    return kept if len(kept) <= MAX_BODY_CHARS else kept[: MAX_BODY_CHARS - len(_CUT)] + _CUT


def _whole(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)


def backoff_s(tries: int) -> float:
    """Give how long to wait after a try that failed; ``tries`` counts it."""
    return float(min(_BACKOFF_S * _GROWTH ** (tries - 1), _MAX_BACKOFF_S))


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Read ``Retry-After``: seconds or a date; None when there is none that can be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)


def outcome_of(answer: Posted, now: float, said: str | None = None) -> Outcome:
    """Read a status: 2xx is delivered, 408, 425, 429 and 5xx may work later, all else never will."""
    if answer.status in _OK:
        return Delivered()
    reason = f"answered {answer.status}: {quoted(answer.body) if said is None else said}".rstrip(": ")
    if answer.status in _TRY_AGAIN or answer.status in _SERVER:
        return Retry(reason, retry_after_s(answer.headers, now))
    return Failed(reason)


def quoted(body: bytes) -> str:
    """Give what a service said on one line, at most 512 bytes of it."""
    return clean_subject(body[:QUOTED_BYTES].decode("utf-8", "ignore"))


def json_object(body: bytes) -> Mapping[str, object]:
    """Read a body as a JSON object; empty for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
