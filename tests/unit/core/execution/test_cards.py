from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from akili_cli.core.execution.cards import layers_for, whole_card
from akili_cli.core.sandbox.base import Layer
from akili_cli.domain.errors import SandboxError
from tests.fakes.tools import Look
from tests.fakes.wiring import open_bench
from tests.unit.cli.test_card import APPROVAL, LAYERS


async def test_the_card_holds_the_sandbox_and_the_cost(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        hold = await bench.pipeline.ledger.reserve("kim", "run-0", 1.0)
        await bench.pipeline.ledger.settle(hold, 0.25)
        card = json.loads(json.dumps(await whole_card(APPROVAL, lambda: LAYERS, bench.pipeline.ledger)))
    assert [(one["name"], one["active"]) for one in card["sandbox"]] == [("files", True), ("network", False)]
    assert card["cost"] == {"spent_usd": 0.25, "remaining_usd": 9.75, "call_usd": 0.0}
    assert card["short_id"] == "1a2b3c4d"


def test_a_call_that_runs_no_command_names_no_layer() -> None:
    assert layers_for(replace(APPROVAL, effects={"writes": ["/x"]}), lambda: LAYERS) == ()
    assert layers_for(replace(APPROVAL, effects={"opaque": "eval"}), lambda: LAYERS) == LAYERS


def test_a_sandbox_that_cannot_be_tried_counts_as_missing() -> None:
    def broken() -> tuple[Layer, ...]:
        raise SandboxError("it broke", hint="mend it")

    assert layers_for(APPROVAL, broken) == (Layer("sandbox", False, "it broke", "mend it"),)
