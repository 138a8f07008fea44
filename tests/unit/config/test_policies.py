from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from akili_cli.config.entries import PLANNED_EFFECTS, READ_SOURCES
from akili_cli.config.policies import (
    BuiltinRule,
    DayName,
    EffectName,
    PoliciesSettings,
    RiskName,
    RuleSettings,
    SourceName,
)
from akili_cli.core.policy.builtin import OPTIONAL
from akili_cli.core.policy.hours import DAYS
from akili_cli.core.policy.model import EFFECT_KINDS
from akili_cli.domain.calls import Source
from akili_cli.domain.risk import RISK_NAMES


def test_both_shapes_of_the_seed_name_the_same_policies() -> None:
    body = {"allowed_tools": ["file_read"], "max_risk_level": "medium"}
    mapped = PoliciesSettings.model_validate({"capabilities": {"a": body}})
    listed = PoliciesSettings.model_validate({"policies": [{"name": "a", **body}]})
    assert set(mapped.named) == set(listed.named) == {"a"}
    assert mapped.named["a"].allowed_tools == listed.named["a"].allowed_tools == ("file_read",)


def test_a_rule_with_examples_is_read() -> None:
    rule = RuleSettings.model_validate(
        {
            "id": "restart-nginx",
            "match": {"commands": ["systemctl restart nginx"], "roles": ["operator"]},
            "verdict": "allow",
            "because": "it is safe",
            "risk": "low",
            "examples": [{"tool": "shell_exec", "with": {"command": "systemctl restart nginx"}, "matches": True}],
        }
    )
    assert rule.match.commands == ("systemctl restart nginx",)
    assert rule.examples[0].arguments == {"command": "systemctl restart nginx"}


@pytest.mark.parametrize(
    "patch",
    [
        {"id": "Bad Id"},
        {"id": ""},
        {"id": "x" * 65},
        {"because": ""},
        {"because": "a\x1b[2J"},
        {"verdict": "permit"},
        {"match": {"tools": "shell_exec"}},
        {"match": {"tools": [""]}},
        {"match": {"unless_paths": ["/"]}},
        {"risk": "none"},
        {"more": 1},
    ],
)
def test_a_malformed_rule_is_refused(patch: dict[str, object]) -> None:
    good = {"id": "a", "match": {"tools": ["shell_exec"]}, "verdict": "deny", "because": "x"}
    RuleSettings.model_validate(good)
    with pytest.raises(ValidationError):
        RuleSettings.model_validate(good | patch)


def test_the_words_are_those_of_the_domain() -> None:
    assert get_args(RiskName) == RISK_NAMES
    assert set(get_args(SourceName)) == READ_SOURCES
    assert {str(source) for source in Source} >= READ_SOURCES
    assert get_args(DayName) == DAYS
    assert set(get_args(EffectName)) | PLANNED_EFFECTS == set(EFFECT_KINDS)
    assert get_args(BuiltinRule) == OPTIONAL
