from __future__ import annotations

from akili_cli.config.planned import INSTEAD, KNOWN_VARIABLES, PLANNED_KEYS, REFUSED_VARIABLES, is_planned, refusal
from akili_cli.config.schema import keys_at


def test_a_planned_key_is_told_from_one_that_is_nowhere() -> None:
    assert is_planned(("gateways", "slack"))
    assert is_planned(("orchestrator",))
    assert not is_planned(("nonsense",))
    assert not is_planned(("gateways", "slack", "bot_token"))


def test_the_refusal_says_what_to_do_instead() -> None:
    assert refusal(("gateways", "slack")) == "this version has nothing that reads `gateways.slack` yet; remove it"
    assert "AKILI_WORKSPACE" in refusal(("workspace",))
    assert INSTEAD.keys() <= PLANNED_KEYS


def test_nothing_that_is_read_is_called_planned() -> None:
    for name in PLANNED_KEYS:
        *section, key = name.split(".")
        assert key not in keys_at(tuple(section)), name
    assert KNOWN_VARIABLES.isdisjoint(REFUSED_VARIABLES)
