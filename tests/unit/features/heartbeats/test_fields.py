from __future__ import annotations

import pytest

from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.features.heartbeats.fields import KEYS, field_value, parse_precheck
from akili_cli.features.heartbeats.model import Mode, Precheck, PrecheckKind


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("cron", '"0 9 * * *"', "0 9 * * *"),
        ("cron", "CRON_TZ=Europe/Berlin 0 9 * * 1-5", "CRON_TZ=Europe/Berlin 0 9 * * 1-5"),
        ("mode", "long", Mode.LONG),
        ("budget_usd", "1.00", 1.0),
        ("max_runs_per_day", "24", 24),
        ("precheck", "http https://example.com/feed?x=1", Precheck(PrecheckKind.HTTP, "https://example.com/feed?x=1")),
        ("precheck", "file ~/state", Precheck(PrecheckKind.FILE, "~/state")),
        ("precheck", 'command sh -c "df  -P"', Precheck(PrecheckKind.COMMAND, 'sh -c "df  -P"')),
    ],
)
def test_a_field_is_read(key: str, text: str, value: object) -> None:
    assert key in KEYS
    assert field_value(key, text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("cron", ""),
        ("cron", '"'),
        ("cron", "* * * *"),
        ("cron", "x" * 5000),
        ("mode", "QUICK"),
        ("budget_usd", "1e3"),
        ("budget_usd", "nan"),
        ("budget_usd", "10001"),
        ("budget_usd", "1" * 400),
        ("max_runs_per_day", "1.5"),
        ("max_runs_per_day", "\u0663"),
        ("max_runs_per_day", "9" * 300),
    ],
)
def test_a_value_that_does_not_fit_is_refused(key: str, text: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        field_value(key, text)


@pytest.mark.parametrize(
    "text", ["http http://", "http https://user@example.com/", "file ./x", "command a\u202eb", "ls -l", "http"]
)
def test_a_check_that_cannot_be_made_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        parse_precheck(text)
