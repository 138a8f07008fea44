from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.core.approvals.plans import content_hash, plan_id_of
from tests.fakes.wiring import run_by
from tests.unit.cli.test_card import APPROVAL


@pytest.mark.parametrize(
    "change",
    [
        {"plan_index": 2},
        {"digest": "e" * 64},
        {"risk": "low"},
        {"tool": "other"},
        {"arguments": {"command": "other"}},
        {"effects": {"writes": ["/etc/x"]}},
        {"inputs": {"/etc/x": "absent"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_covers_everything_that_will_run(change: dict[str, object]) -> None:
    step = replace(APPROVAL, plan_index=1)
    assert content_hash((step,)) == content_hash((step,))
    assert content_hash((replace(step, **change),)) != content_hash((step,))  # type: ignore[arg-type]  # test values


def test_the_order_counts() -> None:
    one, two = replace(APPROVAL, plan_index=1), replace(APPROVAL, plan_index=2)
    assert content_hash((one, two)) != content_hash((two, one))


def test_a_plan_is_named_after_its_run() -> None:
    assert plan_id_of(replace(run_by(), id="12345678-1234-1234-1234-123456789012")) == "plan-123456781234"
