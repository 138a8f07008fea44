from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from akili_cli.domain.decisions import BUILT_IN, Decision, Origin, RuleHit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.permits import permit_for


def test_an_origin_reads_as_file_and_line() -> None:
    assert (str(Origin("a.yaml", 3)), str(BUILT_IN)) == ("a.yaml:3", "built-in")


def test_the_ruling_is_the_first_hit() -> None:
    hits = (RuleHit("a", BUILT_IN, Verdict.DENY, "x"), RuleHit("b", BUILT_IN, Verdict.ALLOW, "y"))
    assert Decision(Verdict.DENY, Risk.LOW, hits).ruling.rule_id == "a"


def test_a_permit_cannot_be_widened() -> None:
    permit = permit_for(Effects(reads=("/x",)))
    with pytest.raises(FrozenInstanceError):
        permit.effects = Effects(writes=("/",))  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        permit.more = 1  # type: ignore[attr-defined]
