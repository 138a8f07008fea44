from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TextIO

import pytest

from akili_cli.cli.opening import opened_app, principal
from akili_cli.cli.prompt import TerminalAsker
from akili_cli.cli.repl_session import Session, interruptible
from akili_cli.domain.calls import Source
from akili_cli.domain.errors import NotFoundError


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    asker = TerminalAsker()
    async with opened_app(asker) as app:
        asker.app = app
        yield Session(app=app, asker=asker, loop=await app.loop(), me=principal(Source.REPL))


@pytest.fixture
def keyboard() -> Iterator[TextIO]:
    screen, inside = pty.openpty()
    with os.fdopen(inside, "r") as stream:
        yield stream
    os.close(screen)


def stand_in(keyboard: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", keyboard)


async def test_a_conversation_goes_on_and_figures_add_up(session: Session) -> None:
    await session.take("Is this host healthy?")
    first = session.conversation
    assert first is not None
    assert session.last is not None
    assert session.last.steps
    await session.take("Is this host healthy?")
    assert session.conversation == first
    assert session.runs == 2
    assert session.cost_usd == 0.0


async def test_a_played_runbook_is_no_part_of_the_conversation(session: Session) -> None:
    await session.play("service-health-check", {})
    assert session.conversation is None
    assert session.last is not None
    with pytest.raises(NotFoundError):
        await session.play("nothing-like-it", {})


async def test_the_status_line_says_role_mode_model_and_money(session: Session) -> None:
    assert await session.status_line() == "operator | ask | no model, runbooks answer | $10.00 left"


@pytest.mark.parametrize(
    ("mode", "read_only", "autonomous"),
    [("ask", False, False), ("read-only", True, False), ("autonomous", False, True)],
)
async def test_the_mode_is_the_mode_of_the_run(session: Session, mode: str, read_only: bool, autonomous: bool) -> None:
    session.mode = mode  # type: ignore[assignment]  # one of the modes
    run = session.run()
    assert (run.read_only, run.autonomous) == (read_only, autonomous)
    assert run.principal.source is Source.REPL


async def test_work_that_ends_is_not_interrupted(keyboard: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(keyboard, monkeypatch)
    assert await interruptible(asyncio.sleep(0))


async def test_an_interrupt_ends_the_work_only(keyboard: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(keyboard, monkeypatch)

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    assert not await interruptible(work())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_another_cancel_still_ends_everything(keyboard: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(keyboard, monkeypatch)
    task = asyncio.ensure_future(interruptible(asyncio.Event().wait()))  # type: ignore[arg-type]  # never ends
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
