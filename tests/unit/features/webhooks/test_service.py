from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.errors import ConflictError, RateLimitedError, UnauthorizedError
from akili_cli.features.webhooks.model import Webhook
from akili_cli.features.webhooks.service import WebhookService
from akili_cli.features.webhooks.settings import WebhookSettings
from tests.fakes.clock import FakeClock
from tests.unit.features.webhooks.test_settings import GOOD
from tests.unit.features.webhooks.test_signatures import SECRET, header

ALERTS = Webhook(
    WebhookSettings.model_validate({**GOOD, "name": "am", "kind": "alertmanager", "max_per_hour": 2}), SECRET
)
SIGNED = Webhook(WebhookSettings.model_validate({**GOOD, "name": "signed"}), SECRET)
SIG = "f" * 64


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[WebhookService]:
    db = await open_sqlite(tmp_path / "akili.db")
    hooks = {"am": ALERTS, "signed": SIGNED}
    yield WebhookService(db=db, org="default", clock=FakeClock(), hooks=hooks)
    await db.close()


def clock_of(service: WebhookService) -> FakeClock:
    assert isinstance(service.clock, FakeClock)
    return service.clock


async def test_each_kind_proves_itself_in_its_own_way(service: WebhookService) -> None:
    token, signed = (
        {"authorization": f"Bearer {SECRET}"},
        {"x-akili-signature": header(service.clock.now(), body=b"{}")},
    )
    assert service.genuine("am", token, b"{}") == (ALERTS, None)
    assert service.genuine("signed", signed, b"{}") == (SIGNED, signed["x-akili-signature"][-64:])
    for name, headers in (("am", signed), ("signed", token), ("nosuch", token), ("", {}), ("am", {}), ("signed", {})):
        with pytest.raises(UnauthorizedError, match="not from a webhook that is known here"):
            service.genuine(name, headers, b"{}")


async def test_a_signature_is_taken_once(service: WebhookService) -> None:
    await service.take(SIGNED, SIG, ())
    with pytest.raises(ConflictError, match="came before"):
        await service.take(SIGNED, SIG, ())
    answers = await asyncio.gather(*(service.take(SIGNED, "e" * 64, ()) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, ConflictError) for one in answers) == 4


async def test_a_signature_is_known_as_long_as_its_time_could_be_good(service: WebhookService) -> None:
    await service.take(SIGNED, SIG, ())
    clock_of(service).move(601)
    with pytest.raises(ConflictError):
        await service.take(SIGNED, SIG, ())


async def test_alerts_that_came_within_the_hour_begin_nothing_more(service: WebhookService) -> None:
    first = await service.take(ALERTS, None, ("alert a firing",))
    assert first.run_id is None
    await service.led_to(ALERTS, first, "run-1")
    assert (await service.take(ALERTS, None, ("alert a firing",))).run_id == "run-1"
    assert (await service.take(ALERTS, None, ("alert a firing", "alert a resolved"))).run_id is None
    clock_of(service).move(3601)
    assert (await service.take(ALERTS, None, ("alert a firing",))).run_id is None


async def test_only_so_many_runs_begin_within_an_hour(service: WebhookService) -> None:
    for name in ("a", "b"):
        await service.take(ALERTS, None, (name,))
    with pytest.raises(RateLimitedError) as caught:
        await service.take(ALERTS, None, ("c",))
    assert 3500 < caught.value.retry_after_s <= 3600
    await service.take(SIGNED, SIG, ())
    clock_of(service).move(3601)
    assert (await service.take(ALERTS, None, ("c",))).run_id is None


async def test_a_delivery_that_was_refused_or_released_may_come_again(service: WebhookService) -> None:
    claimed = await service.take(ALERTS, None, ("a",))
    await service.release(ALERTS, claimed)
    for name in ("a", "b"):
        await service.take(ALERTS, None, (name,))
    with pytest.raises(RateLimitedError):
        await service.take(ALERTS, None, ("c",))
    clock_of(service).move(3601)
    assert (await service.take(ALERTS, None, ("c",))).run_id is None


async def test_webhooks_do_not_mix(service: WebhookService) -> None:
    await service.take(SIGNED, SIG, ())
    assert (await service.take(ALERTS, SIG, ())).run_id is None
