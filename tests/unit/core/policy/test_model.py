from __future__ import annotations

from dataclasses import fields

from akili_cli.core.policy.model import EFFECT_KINDS, Match
from akili_cli.domain.effects import Effects
from tests.fakes.actions import action


def test_the_paths_of_an_action_are_all_it_touches() -> None:
    effects = Effects(reads=("/a",), writes=("/b",), deletes=("/c",))
    assert action(effects=effects).paths == ("/a", "/b", "/c")


def test_every_kind_of_effect_has_a_name_that_rules_can_use() -> None:
    assert set(EFFECT_KINDS) == {field.name for field in fields(Effects)} - {"reversible", "opaque"}


def test_a_match_without_fields_restricts_nothing() -> None:
    assert all(not getattr(Match(), field.name) for field in fields(Match))
