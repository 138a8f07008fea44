from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.features.alerts.model import RuleDraft, n_of
from tests.fakes.alerts import rule


@pytest.mark.parametrize(
    ("text", "expected"), [("2 of 3", (2, 3)), ("2/3", (2, 3)), ("4", (4, 4)), (" 1 of 20 ", (1, 20))]
)
def test_n_of_m_is_read(text: str, expected: tuple[int, int]) -> None:
    assert n_of(text) == expected


@pytest.mark.parametrize("text", ["", "0 of 1", "3 of 2", "1 of 21", "two of three", "-1", "1 of", "²", "1 of 2 of 3"])
def test_what_is_no_n_of_m_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2 of 3"):
        n_of(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"target": ""},
        {"target": "a\0b"},
        {"channels": []},
        {"cooldown_seconds": 0},
        {"cooldown_seconds": -5},
        {"cooldown_seconds": True},
        {"check_config": {"a": 1}},
        {"check_config": {str(number): "x" for number in range(21)}},
        {"n_of": "9 of 3"},
        {"enabled": "yes"},
        {"severity": "high"},
    ],
    ids=str,
)
def test_a_draft_of_the_wrong_shape_is_refused(wrong: dict[str, object]) -> None:
    given = {"name": "n", "target": "t", "check_type": "tcp", "cron_expression": "* * * * *", "channels": ["ops"]}
    RuleDraft.model_validate(given)
    with pytest.raises(ValidationError):
        RuleDraft.model_validate({**given, **wrong})


def test_a_rule_is_told_with_iso_times_and_without_what_is_not_set() -> None:
    told = rule(muted_until=1.0).as_dict()
    assert (told["muted_until"], told["n_of"], told["last_status"]) == ("1970-01-01T00:00:01.000Z", "1 of 1", "ok")
    assert "last_checked_at" not in told
    assert "description" not in told
