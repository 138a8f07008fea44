from __future__ import annotations

import json

from akili_cli.core.approvals.request import as_card
from tests.unit.cli.test_card import APPROVAL


def test_a_card_is_json_and_holds_what_every_surface_shows() -> None:
    card = json.loads(json.dumps(as_card(APPROVAL)))
    wanted = {"id", "risk", "tool", "arguments", "user", "source", "host", "cwd", "effects", "reversible", "rule"}
    assert wanted | {"because", "reason", "untrusted", "expires_at", "digest"} <= set(card)
