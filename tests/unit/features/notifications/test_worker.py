from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Status
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.features.notifications.model import State
from tests.fakes import message_services as services
from tests.fakes.message_services import TelegramService, serving
from tests.fakes.notifications import ANN, BEN, Room, open_room

ENV = {"TELEGRAM_BOT_TOKEN": services.TELEGRAM_TOKEN}


@asynccontextmanager
async def outbox(tmp_path: Path, *rules: Rule) -> AsyncIterator[tuple[Room, TelegramService]]:
    service = TelegramService()
    async with serving(service):
        settings = {"telegram": {"api_url": f"http://127.0.0.1:{service.port}"}}
        private = (f"127.0.0.1:{service.port}",)
        async with open_room(tmp_path, *rules, settings=settings, env=ENV, private=private) as room:
            await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
            yield room, service


def rule(verdict: Verdict, **match: object) -> Rule:
    return Rule("r", BUILT_IN, verdict, Match(**match), "a test says so")  # type: ignore[arg-type]


async def test_a_delivery_is_one_call_of_its_owner_with_its_source_and_effects(tmp_path: Path) -> None:
    async with outbox(tmp_path) as (room, service):
        (delivery,) = await room.queue("ops", source="heartbeat")
        await room.tick()
        intent, outcome = (e.record for e in (await room.bench.records())[-2:])
        assert (intent.tool, intent.user, intent.source, intent.run_id) == (
            "notification_deliver",
            "ann",
            "heartbeat",
            delivery.id,
        )
        assert intent.effects["channels"] == ["ops"]
        assert intent.effects["hosts"] == [f"127.0.0.1:{service.port}"]
        assert (intent.facts, outcome.facts) == ({}, {"channel_type": "telegram"})
        assert intent.correlation_id == outcome.correlation_id == delivery.id.replace("-", "")[:16]


@pytest.mark.parametrize(
    "match",
    [{"domains": ("127.0.0.1",)}, {"effects": ("channels",)}, {"sources": ("alert",)}, {"users": ("ann",)}],
    ids=["domain", "effect", "source", "user"],
)
async def test_policy_rules_on_every_delivery(tmp_path: Path, match: dict[str, tuple[str, ...]]) -> None:
    async with outbox(tmp_path, rule(Verdict.DENY, **match)) as (room, service):
        (delivery,) = await room.queue("ops")
        ended = await room.settle(delivery)
        assert (ended.state, ended.tries) == (State.FAILED, 0)
        assert "a test says so" in ended.reason
        assert service.requests == []


async def test_somebody_whose_role_may_not_send_sends_nothing(tmp_path: Path) -> None:
    async with outbox(tmp_path) as (room, service):
        for user in ("vic", "nobody"):
            (delivery,) = await room.queue("ops", key=user, user=user)
            assert (await room.settle(delivery)).state is State.FAILED
        assert service.requests == []


async def test_a_held_delivery_is_sent_when_it_is_approved(tmp_path: Path) -> None:
    async with outbox(tmp_path, rule(Verdict.ASK, tools=("notification_deliver",))) as (room, service):
        (delivery,) = await room.queue("ops")
        await room.tick()
        held = await room.one(delivery)
        assert held.state is State.HELD
        assert held.approval_id is not None
        await room.tick()
        assert service.requests == []
        approval, step = await room.bench.pipeline.resume(held.approval_id, BEN)
        assert (approval.resolved_by, step.status) == ("ben", Status.OK)
        assert (await room.one(delivery)).state is State.SENT
        assert len(service.taken) == 1


async def test_a_held_delivery_that_nobody_approves_fails_in_time(tmp_path: Path) -> None:
    async with outbox(tmp_path, rule(Verdict.ASK, tools=("notification_deliver",))) as (room, service):
        (delivery,) = await room.queue("ops")
        ended = await room.settle(delivery)
        assert (ended.state, ended.reason) == (State.FAILED, "nobody approved it in time")
        assert room.waits == [600.0]
        assert service.requests == []


async def test_a_budget_that_is_used_up_delays_a_message_and_does_not_lose_it(tmp_path: Path) -> None:
    async with outbox(tmp_path) as (room, _service):
        prices = BudgetSettings.model_validate({"default_limit_usd": 1.0, "tool_prices": {"notification_deliver": 2.0}})
        poor = replace(room.worker.pipeline, ledger=Ledger(room.bench.db, "default", prices, room.bench.clock))
        (delivery,) = await room.queue("ops")
        await replace(room.worker, pipeline=poor).tick(room.bench.clock.now())
        waiting = await room.one(delivery)
        assert (waiting.state, waiting.tries, waiting.due_at - room.bench.clock.now()) == (State.QUEUED, 0, 900.0)
        assert (await room.settle(delivery)).state is State.SENT


async def test_a_message_to_a_channel_that_was_removed_meanwhile_fails(tmp_path: Path) -> None:
    async with outbox(tmp_path) as (room, service):
        (delivery,) = await room.queue("ops")
        await room.service.remove("ops", ANN)
        ended = await room.settle(delivery)
        assert ended.state is State.FAILED
        assert "no channel" in ended.reason
        assert service.requests == []


async def test_channels_are_served_beside_each_other(tmp_path: Path) -> None:
    async with outbox(tmp_path) as (room, service):
        names = ["ops", *(f"room{number}" for number in range(11))]
        for name in names[1:]:
            await room.service.add(name, "telegram", {"chat_id": "1"}, ANN)
        await room.queue(*names)
        await room.tick()
        assert len(service.taken) == len(names)
