from __future__ import annotations

import pytest

from akili_cli.domain.errors import UsageError
from akili_cli.domain.moments import moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("90s", 1_000_000 - 90),
        ("1h30m", 1_000_000 - 5400),
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00", 3600),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:05Z", 5),
    ],
)
def test_a_time_is_a_duration_ago_or_iso_in_utc(text: str | None, seconds: float | None) -> None:
    assert moment(text, 1_000_000) == seconds


@pytest.mark.parametrize("text", ["", "now", "5", "-1h", "2026-13-01", "9999999-01-01", "1970-01-01T00:00:00+99:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, 1.0)
