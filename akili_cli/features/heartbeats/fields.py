"""The fields of one task, as the text behind ``- name:`` gives them."""

from __future__ import annotations

import re

from akili_cli.adapters.net.urls import parse_url
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.nearest import nearest
from akili_cli.features.heartbeats.model import MAX_BUDGET_USD, MAX_RUNS, Mode, Precheck, PrecheckKind

KEYS = ("cron", "mode", "budget_usd", "precheck", "max_runs_per_day")
MAX_VALUE_CHARS = 4096
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_PRECHECK = "precheck: command LINE, precheck: http URL or precheck: file PATH"


def field_value(key: str, text: str) -> object:
    """Give a field's value; raises ``InvalidArgumentsError``."""
    if not text:
        raise InvalidArgumentsError("no value")
    if len(text) > MAX_VALUE_CHARS:
        raise InvalidArgumentsError(f"longer than {MAX_VALUE_CHARS} characters")
    match key:
        case "cron":
            return parse_cron(_unquoted(text)).text
        case "mode":
            return _mode(_unquoted(text))
        case "budget_usd":
            return _budget(_unquoted(text))
        case "max_runs_per_day":
            return _count(_unquoted(text))
        case _:
            return parse_precheck(text)


def parse_precheck(text: str) -> Precheck:
    """Read ``command LINE``, ``http URL`` or ``file PATH``; raises ``InvalidArgumentsError``."""
    word, _, value = text.partition(" ")
    value = value.strip()
    if word not in tuple(PrecheckKind):
        raise InvalidArgumentsError(
            f"{word[:60]!r} is no kind of check{nearest(word, tuple(PrecheckKind))}", hint=_PRECHECK
        )
    if not value:
        raise InvalidArgumentsError(f"{word} of what?", hint=_PRECHECK)
    if not value.isprintable():
        raise InvalidArgumentsError("holds a character that cannot be seen")
    kind = PrecheckKind(word)
    if kind is PrecheckKind.HTTP:
        parse_url(value)
    elif kind is PrecheckKind.FILE and not value.startswith(("/", "~/")):
        raise InvalidArgumentsError("a file is named by its absolute path, or by ~/ and more")
    return Precheck(kind, value)


def _unquoted(text: str) -> str:
    for quote in ('"', "'"):
        if len(text) > 1 and text.startswith(quote) and text.endswith(quote):
            return text[1:-1]
    return text


def _mode(text: str) -> Mode:
    if text not in tuple(Mode):
        raise InvalidArgumentsError(f"{text[:60]!r} is neither quick nor long{nearest(text, tuple(Mode))}")
    return Mode(text)


def _budget(text: str) -> float:
    amount = float(text) if _NUMBER.fullmatch(text) else 0.0
    if not 0 < amount <= MAX_BUDGET_USD:
        raise InvalidArgumentsError(f"{text[:60]!r} is not a number of USD above 0 and up to {MAX_BUDGET_USD:g}")
    return amount


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_RUNS)) else 0
    if not 0 < count <= MAX_RUNS:
        raise InvalidArgumentsError(f"{text[:60]!r} is not a whole number from 1 to {MAX_RUNS}")
    return count
