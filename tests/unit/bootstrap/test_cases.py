from __future__ import annotations

from pathlib import Path

from akili_cli.bootstrap.cases import asked_of, check_case, everyday_calls
from akili_cli.config.cases import parse_cases
from tests.fakes.policies import judge_from


def differences(tmp_path: Path, text: str) -> tuple[str, ...]:
    (placed,) = parse_cases(text, "c.yaml", judged=True)
    return check_case(placed, judge_from(tmp_path), "ann").differences


def test_a_case_that_holds_has_no_differences(tmp_path: Path) -> None:
    text = "- {tool: file_read, with: {path: /opt/x}, verdict: deny, rule: tools.file.allowed_paths, risk: low}"
    assert differences(tmp_path, text) == ()


def test_each_difference_is_named(tmp_path: Path) -> None:
    text = "- {tool: file_read, with: {path: /srv/x}, verdict: deny, rule: r, risk: high}"
    assert differences(tmp_path, text) == (
        "verdict is allow, not deny",
        "rule is role:operator/permissions, not r",
        "risk is low, not high",
    )


def test_a_call_that_is_none_differs(tmp_path: Path) -> None:
    assert "is no valid call" in differences(tmp_path, "- {tool: file_read, verdict: deny}")[0]


def test_everyday_calls_are_many_and_all_are_calls(tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    assert len(everyday_calls()) >= 80
    for placed in everyday_calls():
        judge.tools.parse(asked_of(placed.call, "ann").call())
