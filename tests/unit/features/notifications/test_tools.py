from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Status, ToolCall
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.features.notifications.model import State
from akili_cli.features.notifications.tools import (
    DeliverArgs,
    NotificationDeliver,
    SendNotification,
    SendNotificationArgs,
)
from tests.fakes.notifications import ANN, open_room
from tests.fakes.permits import permit_for
from tests.fakes.wiring import run_by


def ask(**arguments: object) -> ToolCall:
    return ToolCall("c1", "send_notification", arguments)


async def test_a_model_stores_a_message_for_channels_and_is_told_which(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
        step = await room.bench.pipeline.run(ask(channels=["ops", "ops"], message="hi", subject="s"), run_by("ann"))
        (delivery,) = await room.service.reader.deliveries()
        assert step.status is Status.OK
        assert step.text == f"ops: queued ({delivery.id})"
        assert (delivery.user, delivery.source, delivery.subject, delivery.body) == ("ann", "cli", "s", "hi")
        assert delivery.state is State.QUEUED


async def test_it_fails_when_one_channel_cannot_be_sent_to_and_names_it(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
        step = await room.bench.pipeline.run(ask(channels=["ops", "nobody"], message="hi"), run_by("ann"))
        assert step.status is Status.FAILED
        assert "nobody: not sent, there is no channel" in step.text
        assert "ops: queued" in step.text


async def test_it_is_judged_by_its_channels_and_with_outside_text_it_needs_a_human(tmp_path: Path) -> None:
    deny = Rule(
        "quiet", BUILT_IN, Verdict.DENY, Match(effects=("channels",), tools=("send_notification",)), "quiet now"
    )
    async with open_room(tmp_path, deny) as room:
        assert (
            await room.bench.pipeline.run(ask(channels=["ops"], message="x"), run_by("ann"))
        ).status is Status.DENIED
    (tmp_path / "2").mkdir()
    async with open_room(tmp_path / "2") as room:
        step = await room.bench.pipeline.run(ask(channels=["ops"], message="x"), run_by("ann", untrusted=("web x",)))
        assert step.status is Status.APPROVAL_REQUIRED
        assert await room.service.reader.deliveries() == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"message": "x"},
        {"channels": [], "message": "x"},
        {"channels": ["ops"], "message": ""},
        {"channels": "ops", "message": "x"},
        {"channels": ["ops"], "message": "x", "priority": 1},
        {"channels": ["ops"] * 21, "message": "x"},
    ],
)
async def test_arguments_that_do_not_fit_are_invalid(tmp_path: Path, arguments: dict[str, object]) -> None:
    async with open_room(tmp_path) as room:
        assert (await room.bench.pipeline.run(ask(**arguments), run_by("ann"))).status is Status.INVALID


async def test_nobody_sends_nothing(tmp_path: Path) -> None:
    from dataclasses import replace

    async with open_room(tmp_path) as room:
        tool = SendNotification(room.service)
        args = SendNotificationArgs(channels=("ops",), message="x")
        output = await tool.run(args, replace(permit_for(tool.effects(args)), user=""))  # a permit of no pipeline
        assert not output.ok
        assert await room.service.reader.deliveries() == []


def test_models_are_offered_the_one_and_not_the_other() -> None:
    box = ToolBox((SendNotification(None),), unoffered=(NotificationDeliver(None),))  # type: ignore[arg-type]
    assert [spec.name for spec in box.specs()] == ["send_notification"]


def test_a_delivery_declares_its_channel_and_its_host() -> None:
    tool = NotificationDeliver(None)  # type: ignore[arg-type]
    args = DeliverArgs(delivery_id="d", channel="ops", host="h.example.test:443")
    assert tool.effects(args) == Effects(channels=("ops",), hosts=("h.example.test:443",))
    assert tool.effects(DeliverArgs(delivery_id="d", channel="ops", host="")) == Effects(channels=("ops",))
