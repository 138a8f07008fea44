from __future__ import annotations

import pytest

from akili_cli.domain.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("2m", 120),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("1m500ms", 60.5),
        ("90d", 7_776_000),
        ("1d12h", 129_600),
    ],
)
def test_a_duration_becomes_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "0s", "-1s", "10", "s", "1s1m", "1h1d", "1 s", "inf", "nan", "1e3s", "\u0661s", "9" * 50 + "s"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)
