from __future__ import annotations

from typing import Any

import pytest

from akili_cli.cli.card import card_lines
from akili_cli.cli.received import received
from akili_cli.core.approvals.request import as_card
from akili_cli.domain.errors import AkiliError
from tests.fakes.gateway_server import CARD
from tests.unit.cli.test_card import APPROVAL


def test_a_card_that_was_sent_shows_the_same_lines_as_here() -> None:
    approval, facts = received(dict(as_card(APPROVAL)))
    assert card_lines(approval, facts) == card_lines(APPROVAL)


def test_the_sandbox_and_the_cost_are_shown() -> None:
    lines = card_lines(*received({**CARD, "cost": {**CARD["cost"], "call_usd": 0.25}}))
    assert "sandbox    landlock" in lines
    assert "cost       $0.5000 spent today, $9.50 left; this call costs $0.2500" in lines


@pytest.mark.parametrize(
    "card",
    [
        None,
        [],
        "x",
        {},
        {**CARD, "status": "maybe"},
        {**CARD, "source": "moon"},
        {**CARD, "arguments": 5},
        {**CARD, "expires_at": "soon"},
        {**CARD, "sandbox": [1]},
        {**CARD, "cost": {"spent_usd": None}},
        {key: value for key, value in CARD.items() if key != "digest"},
    ],
    ids=["none", "list", "text", "empty", "status", "source", "arguments", "time", "sandbox", "cost", "part"],
)
def test_what_is_no_card_is_said_to_be_none(card: Any) -> None:
    with pytest.raises(AkiliError, match="cannot be shown"):
        received(card)
