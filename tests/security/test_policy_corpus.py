"""Every way around a policy that was thought of, with the verdict it must get."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from akili_cli.bootstrap.cases import check_case
from akili_cli.config.cases import Placed, load_cases
from tests.fakes.policies import judge_from

ROOT = Path(__file__).parents[2]
CASES = load_cases(Path(__file__).parent / "corpora" / "policy.yaml", judged=True)
NOON = datetime.fromisoformat("2026-02-17T12:00+01:00").timestamp()


def named(placed: Placed) -> str:
    return f"line {placed.origin.line}"


@pytest.mark.parametrize("placed", CASES, ids=named)
def test_each_way_around_gets_its_verdict(placed: Placed, tmp_path: Path) -> None:
    judge = judge_from(tmp_path, (ROOT / "examples" / "policy-strict.yaml").read_text(encoding="utf-8"))
    object.__setattr__(judge, "now", lambda: NOON)
    result = check_case(placed, judge, "ben")
    assert result.differences == (), f"{placed.call.arguments}: {result.decision}"
