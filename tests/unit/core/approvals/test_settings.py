from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.core.approvals.settings import ApprovalSettings


def test_by_default_five_minutes_and_four_eyes() -> None:
    settings = ApprovalSettings.model_validate({})
    assert (settings.ttl_seconds, settings.use_ttl_seconds, settings.four_eyes) == (300, 300, True)


@pytest.mark.parametrize(
    "given",
    [
        {"ttl_seconds": 0},
        {"ttl_seconds": -1},
        {"ttl_seconds": 604_801},
        {"use_ttl_seconds": 0},
        {"ttl_seconds": "300"},
        {"four_eyes": "no"},
        {"four_eyes": 0},
        {"ttl": 5},
        {"ttl_seconds": 1.5},
    ],
    ids=str,
)
def test_what_could_switch_a_control_off_by_mistake_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApprovalSettings.model_validate(given)
