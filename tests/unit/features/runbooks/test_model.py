from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.features.runbooks.model import Condition, FrontMatter, InputSpec, Problem, Severity, Step

FRONT = {
    "name": "N",
    "agent_role": "executor",
    "category": "c",
    "tools_required": ["shell_exec"],
    "risk_level": "low",
    "default_budget": 0.5,
}


def test_severities_are_ordered_with_unknown_between_info_and_warning() -> None:
    ranked = sorted(Severity, key=lambda one: one.rank)
    assert [str(one) for one in ranked] == ["ok", "info", "unknown", "warning", "critical"]


@pytest.mark.parametrize(
    "role",
    ["orchestrator", "planner", "researcher", "executor", "compliance", "diagnostician", "analyst", "validator"],
)
def test_the_six_roles_and_the_two_older_names_are_accepted(role: str) -> None:
    assert FrontMatter.model_validate({**FRONT, "agent_role": role}).agent_role == role


@pytest.mark.parametrize(
    "change",
    [
        {"agent_role": "root"},
        {"default_budget": 0},
        {"default_budget": -1},
        {"default_budget": float("inf")},
        {"default_budget": "0.5"},
        {"tools_required": []},
        {"risk_level": "none"},
        {"name": ""},
        {"name": "a\nb"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_front_matter_that_breaks_a_rule_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FrontMatter.model_validate({**FRONT, **change})


@pytest.mark.parametrize(
    "condition",
    [
        {"op": ">"},
        {"op": "present", "value": 1},
        {"op": "in", "value": 1},
        {"op": "==", "value": [1]},
        {"op": "==", "value": 1, "column": "a", "count": True},
        {"op": ">", "value": 1, "percent_of": "x"},
        {"op": "matches", "value": "(a+)+"},
        {"op": "~", "value": 1},
    ],
    ids=str,
)
def test_a_comparison_that_makes_no_sense_is_refused(condition: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(condition)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Bad Id"},
        {"id": "disk-1"},
        {"timeout": "soon"},
        {"timeout": "0s"},
        {"rollback": [{"id": "r", "tool": "t"}]},
        {"capture": {"kind": "regex", "pattern": "no group"}},
        {"capture": {"kind": "table", "pattern": "x"}},
        {"capture": {"kind": "table", "header": False}},
        {"capture": {"kind": "xml"}},
        {"when": {"step": "a"}},
        {"when": {"step": "a", "status": "ok", "severity": ">= warning"}},
        {"when": {"step": "a", "severity": "__import__('os')"}},
        {"findings": [{"op": "present", "severity": "ok", "say": "x"}]},
        {"ok_exits": []},
    ],
    ids=str,
)
def test_a_step_that_breaks_a_rule_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Step.model_validate({"id": "a", "tool": "shell_exec", **change})


def test_an_input_cannot_be_required_and_have_a_default() -> None:
    with pytest.raises(ValidationError):
        InputSpec.model_validate({"required": True, "default": "x"})


def test_a_problem_names_file_line_and_level() -> None:
    assert str(Problem("a.md", 3, "error", "bad")) == "a.md:3: error: bad"
    assert str(Problem("a.md", None, "warning", "odd")) == "a.md: warning: odd"
