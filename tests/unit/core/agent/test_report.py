from __future__ import annotations

import json

import pytest

from akili_cli.core.agent.report import RunReport, step_dict, worst
from akili_cli.domain.calls import Status, StepResult, ToolCall
from akili_cli.domain.decisions import Decision, Origin, RuleHit, Verdict
from akili_cli.domain.risk import Risk

DECISION = Decision(Verdict.DENY, Risk.HIGH, (RuleHit("no", Origin("a.yaml", 2), Verdict.DENY, "because"),))


def step(status: Status) -> StepResult:
    call = ToolCall("c", "look", {"path": "/x"})
    return StepResult(call, status, "told", "audit-1", DECISION, approval_id="f" * 32)


@pytest.mark.parametrize(
    ("steps", "ended", "expected"),
    [
        ([], Status.OK, Status.OK),
        ([Status.OK, Status.FAILED, Status.INVALID, Status.TIMEOUT], Status.OK, Status.OK),
        ([Status.DENIED], Status.OK, Status.DENIED),
        ([Status.DENIED, Status.APPROVAL_REQUIRED], Status.OK, Status.APPROVAL_REQUIRED),
        ([Status.DENIED, Status.BUDGET_EXCEEDED], Status.OK, Status.BUDGET_EXCEEDED),
        ([Status.DENIED], Status.FAILED, Status.DENIED),
        ([Status.DENIED], Status.TIMEOUT, Status.TIMEOUT),
        ([Status.APPROVAL_REQUIRED], Status.INTERRUPTED, Status.INTERRUPTED),
        ([], Status.BUDGET_EXCEEDED, Status.BUDGET_EXCEEDED),
    ],
    ids=str,
)
def test_one_status_never_hides_a_refusal(steps: list[Status], ended: Status, expected: Status) -> None:
    assert worst(tuple(map(step, steps)), ended) is expected


def test_the_object_of_json_names_every_refusal_with_its_rule() -> None:
    report = RunReport(
        Status.DENIED, "", "c", "r", steps=(step(Status.DENIED),), cards=({"id": "f" * 32, "risk": "high"},)
    )
    told = json.loads(json.dumps(report.as_dict()))
    assert told["schema"] == "akili.run/1"
    (denial,) = told["denials"]
    assert (denial["rule"], denial["origin"], denial["because"]) == ("no", "a.yaml:2", "told")
    (waiting,) = told["approvals"]
    assert (waiting["id"], waiting["risk"]) == ("f" * 32, "high")
    assert [one["status"] for one in told["steps"]] == ["denied"]
    assert (told["error"], told["report"]) == (None, None)


def test_an_unpriced_run_costs_null_and_a_free_one_zero() -> None:
    assert RunReport(Status.OK, "", "c", "r", cost_usd=None).as_dict()["cost_usd"] is None
    assert RunReport(Status.OK, "", "c", "r").as_dict()["cost_usd"] == 0.0


def test_an_invalid_step_has_no_verdict() -> None:
    told = step_dict(StepResult(ToolCall("c", "x"), Status.INVALID, "t", "a"))
    assert (told["verdict"], told["risk"], told["rule"]) == (None, None, None)
