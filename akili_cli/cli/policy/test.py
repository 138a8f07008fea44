"""``akili policy test``: cases with what must be decided about them."""

from __future__ import annotations

from pathlib import Path

from akili_cli.bootstrap.cases import CaseResult, check_case
from akili_cli.cli import render
from akili_cli.cli.opening import opened_state, principal
from akili_cli.cli.policy.calls import line_of_call
from akili_cli.cli.policy.opening import judge_of
from akili_cli.config.cases import load_cases


async def test_cases(paths: list[Path], as_json: bool) -> int:
    """Decide every case; gives the exit code, 1 when one differs."""
    cases = [case for path in paths for case in load_cases(path, judged=True)]
    async with opened_state() as state:
        judge = judge_of(state)
        results = [check_case(case, judge, principal().user) for case in cases]
    wrong = [result for result in results if result.differences]
    if as_json:
        render.out_json([_as_dict(result) for result in results])
    else:
        for result in wrong:
            _show(result)
        render.talk(f"{len(results)} cases, {len(wrong)} differ", "red" if wrong else "green")
    return 1 if wrong else 0


def _as_dict(result: CaseResult) -> dict[str, object]:
    decision = result.decision
    return {
        "name": result.placed.call.name,
        "origin": str(result.placed.origin),
        "ok": not result.differences,
        "differences": list(result.differences),
        "verdict": None if decision is None else str(decision.verdict),
        "risk": None if decision is None else str(decision.risk),
        "rule": None if decision is None else decision.ruling.rule_id,
    }


def _show(result: CaseResult) -> None:
    call = result.placed.call
    render.out(f"{result.placed.origin}: {call.name or line_of_call(call.tool, call.arguments)}")
    for difference in result.differences:
        render.out(f"  {difference}")
    if result.decision is not None:
        ruling = result.decision.ruling
        render.out(f"  decided by {ruling.rule_id} ({ruling.origin}): {ruling.because}")
