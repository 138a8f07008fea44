from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from akili_cli.core.budget.model import BudgetStatus, BudgetTree, DaySpend, Level, Reservation

VALUES = (
    Reservation("id", "acme", "ann", "2026-02-17", "run", 1.0, 0.0, 600.0),
    BudgetStatus(10.0, 1.0, 2.0, 7.0, "2026-02-17"),
    DaySpend("2026-02-17", 10.0, 1.0),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_do_not_change(value: object) -> None:
    with pytest.raises(FrozenInstanceError):
        value.day = "2026-02-18"  # type: ignore[attr-defined] # that is the point


def test_a_day_is_told_with_its_levels() -> None:
    level = Level("run", "run-1", 2.0, 0.5, 0.25, spent_tokens=7, parent="user")
    tree = BudgetTree("2026-02-17", level, Level("user", "ann", None, 1.0, 0.0, spent_tokens=3), (level,))
    told = tree.as_dict(BudgetStatus(10.0, 1.0, 2.0, 7.0, "2026-02-17"))
    assert (told["user"], told["remaining_usd"], told["spent_tokens"]) == ("ann", 7.0, 3)
    assert told["runs"] == [told["organisation"]] == [level.as_dict()]
    assert (level.as_dict()["remaining_usd"], level.as_dict()["parent"]) == (1.25, "user")
