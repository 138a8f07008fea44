from __future__ import annotations

import asyncio
import logging

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.errors import StorageError
from akili_cli.features.health.model import Check, Readiness
from akili_cli.features.health.service import FRESH_S, HealthService
from tests.fakes.clock import FakeClock

SECRET = "s3cr3t-value-of-mine"


async def fine() -> None:
    pass


async def hangs() -> None:
    await asyncio.Event().wait()


async def lost() -> None:
    raise StorageError(f"it says:\nno {SECRET}")


async def bug() -> None:
    raise ZeroDivisionError(SECRET)


def service(checks: dict[str, Check], clock: FakeClock | None = None) -> HealthService:
    redactor = Redactor()
    redactor.register(SECRET, "test")
    return HealthService(checks, redactor, clock or FakeClock(), limit_s=0.05)


def said(found: Readiness) -> dict[str, str]:
    return {name: check.message for name, check in found.checks.items()}


async def test_every_check_says_how_it_went_and_none_waits_for_another() -> None:
    arrived = asyncio.Event()

    async def first() -> None:
        await arrived.wait()

    async def second() -> None:
        arrived.set()

    found = await service({"first": first, "second": second, "slow": hangs, "lost": lost}).readiness()
    assert {name: check.status for name, check in found.checks.items()} == {
        "first": "ok",
        "second": "ok",
        "slow": "fail",
        "lost": "fail",
    }
    assert said(found)["slow"] == "no answer within 0.05 s"


async def test_a_message_holds_no_secret_no_line_break_and_nothing_of_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = await service({"lost": lost, "bug": bug}).readiness()
    assert said(found) == {
        "lost": said(found)["lost"],
        "bug": "internal error; see the log",
    }
    assert SECRET not in str(found.as_dict())
    assert "\n" not in said(found)["lost"]
    assert "ZeroDivisionError" in caplog.text


async def test_who_asks_at_the_same_time_or_a_moment_later_gets_the_same_answer() -> None:
    clock, asked = FakeClock(), list[int]()

    async def counted() -> None:
        asked.append(1)

    health = service({"counted": counted}, clock)
    await asyncio.gather(*(health.readiness() for _ in range(20)))
    assert len(asked) == 1
    clock.move(FRESH_S)
    await health.readiness()
    assert len(asked) == 2


async def test_the_log_is_told_once_until_something_changes(caplog: pytest.LogCaptureFixture) -> None:
    clock, broken = FakeClock(), [True]

    async def sometimes() -> None:
        if broken[0]:
            raise StorageError("down")

    health = service({"db": sometimes}, clock)
    with caplog.at_level(logging.WARNING):
        for state in (True, True, False, True):
            broken[0] = state
            await health.readiness()
            clock.move(FRESH_S)
    assert [record.message for record in caplog.records] == ["not ready: down"] * 2
