from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.core.budget.settings import BudgetSettings


def test_only_users_have_a_limit_by_default() -> None:
    settings = BudgetSettings.model_validate({})
    assert settings.default_limit_usd == 10.0
    assert (settings.organisation_limit_usd, settings.run_limit_usd, settings.max_tokens_per_run) == (None, None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"default_limit_usd": 0},
        {"default_limit_usd": float("inf")},
        {"organisation_limit_usd": -1},
        {"run_limit_usd": float("nan")},
        {"max_tokens_per_run": 0},
        {"users": {"ann": -1}},
        {"tool_prices": {"web_fetch": float("inf")}},
        {"limit": 1},
    ],
    ids=str,
)
def test_what_is_no_limit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BudgetSettings.model_validate(wrong)
