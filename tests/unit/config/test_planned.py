from __future__ import annotations

from akili_cli.config.planned import INSTEAD, KNOWN_VARIABLES, PLANNED_KEYS, REFUSED_VARIABLES, planned_paths, refusal
from akili_cli.config.schema import keys_at


def test_the_deepest_known_keys_are_named() -> None:
    assert planned_paths(("gateways",), {"slack": {}, "http": {}}) == (("gateways", "slack"), ("gateways", "http"))
    assert planned_paths(("gateways",), {"slack": {}, "other": {}}) == (("gateways",),)
    assert planned_paths(("gateways",), None) == (("gateways",),)
    assert planned_paths(("nonsense",), {}) == ()


def test_the_refusal_says_what_to_do_instead() -> None:
    assert refusal(("gateways", "slack")) == "this version has nothing that reads `gateways.slack` yet; remove it"
    assert "AKILI_WORKSPACE" in refusal(("workspace",))
    assert INSTEAD.keys() <= PLANNED_KEYS


def test_nothing_that_is_read_is_called_planned() -> None:
    for name in PLANNED_KEYS:
        *section, key = name.split(".")
        assert key not in keys_at(tuple(section)), name
    assert KNOWN_VARIABLES.isdisjoint(REFUSED_VARIABLES)
