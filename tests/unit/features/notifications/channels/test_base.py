from __future__ import annotations

import json

import pytest

from akili_cli.features.notifications.channels import TYPES, channel_type
from akili_cli.features.notifications.channels.base import MAX_PART_TIMEOUT_S
from akili_cli.features.notifications.courier import LEASE_S


@pytest.mark.parametrize("name", TYPES.names())
def test_a_type_says_what_it_needs_and_never_outlasts_its_lease(name: str) -> None:
    kind = channel_type(name)
    assert not set(kind.required) & set(kind.optional)
    assert kind.timeout_s <= MAX_PART_TIMEOUT_S < LEASE_S / 2
    assert kind.interval_s > 0
    assert json.dumps([kind.required, kind.optional])
