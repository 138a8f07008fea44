from __future__ import annotations

import asyncio
from typing import Any

import pytest

from akili_cli.adapters.net.gateway import Gateway
from akili_cli.cli.ruling import rule_at_terminal
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import RefusedError
from tests.fakes.gateway_server import CARD, Played, answer, gateway_server
from tests.unit.cli.test_prompt import Terminal, terminal

__all__ = ["terminal"]  # the fixture

OK = answer({"approval_id": CARD["id"], "status": "approved"})


async def ruled(screen: Terminal, typed: str, played: Played = OK) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        screen.stand_in(patch)
        async with gateway_server([played]) as server:
            gateway = Gateway(server.url, "key", clock=SystemClock())
            asking = asyncio.ensure_future(rule_at_terminal(gateway, CARD))
            await screen.wait_for("for the model] ")
            screen.type(typed)
            await asking
            return [(one.path, one.json) for one in server.requests]


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ("y\n", {"decision": "approve"}),
        ("n\n", {"decision": "deny", "feedback": ""}),
        ("use df -i\n", {"decision": "deny", "feedback": "use df -i"}),
        ("e command=df -i\n", {"decision": "approve", "arguments": {"command": "df -i"}}),
    ],
)
async def test_what_is_typed_is_handed_to_the_gateway(
    terminal: Terminal,
    typed: str,
    body: dict[str, object],
) -> None:
    assert await ruled(terminal, typed) == [("/v1/approve", {"approval_id": CARD["id"], **body})]
    assert "sandbox    landlock" in terminal.read
    assert "$0.5000 spent today" in terminal.read


@pytest.mark.parametrize("status", [404, 409, 410])
async def test_a_ruling_that_came_too_late_is_said_and_the_run_is_followed_on(
    terminal: Terminal,
    status: int,
) -> None:
    assert len(await ruled(terminal, "y\n", answer({"error": "somebody was quicker"}, status))) == 1
    await terminal.wait_for("somebody was quicker")


async def test_a_ruling_that_may_not_be_given_ends_the_command(terminal: Terminal) -> None:
    with pytest.raises(RefusedError, match="not yours"):
        await ruled(terminal, "y\n", answer({"error": "not yours"}, 403))


async def test_a_changed_call_is_said_to_have_run_apart_with_what_came_of_it(terminal: Terminal) -> None:
    done = answer({"approval_id": CARD["id"], "status": "approved", "output": "12% used"})
    await ruled(terminal, "e command=df -i\n", done)
    await terminal.wait_for("its own was denied")
    await terminal.wait_for("12% used")
