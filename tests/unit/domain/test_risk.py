from __future__ import annotations

import pytest

from akili_cli.domain.risk import RISK_NAMES, Risk, parse_risk


def test_levels_are_ordered_and_have_their_words() -> None:
    assert Risk.LOW < Risk.MEDIUM < Risk.HIGH < Risk.CRITICAL
    assert [parse_risk(name) for name in RISK_NAMES] == list(Risk)
    assert str(Risk.HIGH) == "high"


def test_raising_ends_at_critical() -> None:
    assert [level.raised() for level in Risk] == [Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL, Risk.CRITICAL]


@pytest.mark.parametrize("text", ["", "LOW", "Low", "none", "5", "critical ", "lOw", "\u017fo", "low\n"])
def test_an_unknown_level_is_never_taken_for_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="is not a risk level"):
        parse_risk(text)
