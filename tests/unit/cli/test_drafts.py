from __future__ import annotations

import pytest

from akili_cli.cli.drafts import checked
from akili_cli.domain.errors import UsageError
from akili_cli.features.cron.model import JobDraft

GIVEN = {"name": "n", "cron_expression": "0 0 * * *", "goal": "g"}


def test_good_values_are_the_draft() -> None:
    assert checked(JobDraft, GIVEN).goal == "g"


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(UsageError, match="budget_limit_usd"):
        checked(JobDraft, {**GIVEN, "budget_limit_usd": -1})
