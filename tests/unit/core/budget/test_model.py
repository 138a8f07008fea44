from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from akili_cli.core.budget.model import BudgetStatus, DaySpend, Reservation

VALUES = (
    Reservation("id", "acme", "ann", "2026-02-17", "run", 1.0, 0.0, 600.0),
    BudgetStatus(10.0, 1.0, 2.0, 7.0, "2026-02-17"),
    DaySpend("2026-02-17", 10.0, 1.0),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_do_not_change(value: object) -> None:
    with pytest.raises(FrozenInstanceError):
        value.day = "2026-02-18"  # type: ignore[attr-defined] # that is the point
