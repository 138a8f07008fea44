from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import Start, State, open_ledger, open_state
from akili_cli.cli.facts import MAX_PRESENT_BYTES, card_facts, present_text
from tests.unit.cli.test_card import APPROVAL, LAYERS


@asynccontextmanager
async def state_in(directory: Path) -> AsyncIterator[State]:
    home, work = directory / "h", directory / "w"
    for place in (home, home / ".akili", work):
        place.mkdir(mode=0o700)
    config = {"tools": {"file": {"allowed_paths": [str(work)]}}, "budget": {"tool_prices": {"shell_exec": 0.5}}}
    path = home / ".akili" / "config.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    async with open_state(Start({"HOME": str(home), "PATH": os.environ["PATH"]}, work)) as state:
        yield state


async def test_the_facts_are_layers_money_and_the_present_file(tmp_path: Path) -> None:
    async with state_in(tmp_path) as state:
        hold = await open_ledger(state).reserve("kim", "run-0", 1.0)
        await open_ledger(state).settle(hold, 0.25)
        facts = await card_facts(state, lambda: LAYERS, APPROVAL)
        path = tmp_path / "w" / "a.txt"
        path.write_text("now")
        write = replace(APPROVAL, tool="file_write", effects={"writes": [str(path)]})
        assert (await card_facts(state, lambda: LAYERS, write)).present == "now"
    assert facts.layers == LAYERS
    assert facts.present is None
    assert facts.cost == "$0.2500 spent today, $9.75 left; this call costs $0.5000"


@pytest.mark.parametrize("what", ["other tool", "two writes", "outside", "protected", "too large", "no text", "absent"])
async def test_nothing_else_is_read(what: str, tmp_path: Path) -> None:
    async with state_in(tmp_path) as state:
        path = tmp_path / "w" / "a.txt"
        path.write_text("now")
        paths, tool = [str(path)], "file_write"
        match what:
            case "other tool":
                tool = "shell_exec"
            case "two writes":
                paths *= 2
            case "outside":
                paths = ["/etc/hostname"]
            case "protected":
                paths = [str(tmp_path / "h" / ".akili" / "config.json")]
            case "too large":
                path.write_text("x" * (MAX_PRESENT_BYTES + 1))
            case "no text":
                path.write_bytes(b"\xff\xfe")
            case _:
                path.unlink()
        assert present_text(state, tool, {"writes": paths}) is None
