from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from akili_cli.domain.calls import Principal
from akili_cli.domain.errors import (
    AkiliError,
    ConfigError,
    ConflictError,
    NotFoundError,
    PolicyDeniedError,
    UsageError,
)
from akili_cli.features.notifications.model import State
from tests.fakes.notifications import ANN, BEN, notice, open_room

CHAT = {"chat_id": "1"}


async def test_what_is_added_is_listed_shown_and_recorded(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        url = "https://hooks.example.test/T000/tok3n-in-a-url"
        await room.service.add("hook", "webhook", {"url": url}, ANN, credential_ref="env://CHANNEL_HOOK")
        await room.service.enable("hook", ANN, enabled=False)
        assert not (await room.service.reader.channel("hook")).enabled
        await room.service.remove("hook", ANN)
        assert await room.service.reader.channels() == []
        records = [entry.record for entry in await room.bench.records()]
        assert [(r.tool, str(r.result), r.user) for r in records] == [
            ("channels.add", "changed", "ann"),
            ("channels.disable", "changed", "ann"),
            ("channels.rm", "changed", "ann"),
        ]
        said = str(records[0].parameters)
        assert "hooks.example.test:443" in said
        assert "env://CHANNEL_HOOK" in said
        assert "tok3n" not in said


@pytest.mark.parametrize(
    ("name", "kind", "config", "ref", "error"),
    [
        ("", "telegram", CHAT, None, UsageError),
        ("a b", "telegram", CHAT, None, UsageError),
        ("../x", "telegram", CHAT, None, UsageError),
        ("x" * 65, "telegram", CHAT, None, UsageError),
        ("ops\n", "telegram", CHAT, None, UsageError),
        ("ops", "pigeon", {}, None, NotFoundError),
        ("ops", "telegram", {}, None, UsageError),
        ("ops", "telegram", {"chat_id": ""}, None, UsageError),
        ("ops", "telegram", {"chat_id": "1\x1b"}, None, UsageError),
        ("ops", "telegram", {**CHAT, "chat_ids": "1"}, None, UsageError),
        ("ops", "email", {"to": "x"}, None, UsageError),
        ("ops", "webhook", {"url": "file:///etc/passwd"}, None, UsageError),
        ("ops", "apprise", {}, None, UsageError),
        ("ops", "telegram", CHAT, "123456:ABC-the-token-itself", ConfigError),
        ("ops", "telegram", CHAT, "vault://x", ConfigError),
        ("ops", "telegram", CHAT, "env://OPENAI_API_KEY", PolicyDeniedError),
        ("ops", "telegram", CHAT, "env://PATH", PolicyDeniedError),
        ("ops", "telegram", CHAT, "file:///etc/shadow", PolicyDeniedError),
    ],
)
async def test_what_cannot_work_is_refused_and_not_stored(
    tmp_path: Path, name: str, kind: str, config: dict[str, str], ref: str | None, error: type[AkiliError]
) -> None:
    async with open_room(tmp_path) as room:
        with pytest.raises(error) as raised:
            await room.service.add(name, kind, config, ANN, credential_ref=ref)
        assert "ABC-the-token" not in str(raised.value) + raised.value.hint
        assert await room.service.reader.channels() == []
        assert await room.bench.records() == []


async def test_a_name_is_taken_once(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", CHAT, ANN)
        with pytest.raises(ConflictError):
            await room.service.add("ops", "telegram", CHAT, ANN)


@pytest.mark.parametrize(
    ("who", "allowed"),
    [(ANN, True), (Principal("adm"), True), (BEN, False), (Principal("vic"), False), (Principal("x"), False)],
)
async def test_only_the_owner_and_an_admin_change_a_channel(tmp_path: Path, who: Principal, allowed: bool) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", CHAT, ANN)
        with contextlib.nullcontext() if allowed else pytest.raises(PolicyDeniedError):
            await room.service.enable("ops", who, enabled=False)
        with contextlib.nullcontext() if allowed else pytest.raises(PolicyDeniedError):
            await room.service.remove("ops", who)
        assert len(await room.service.reader.channels()) == (0 if allowed else 1)


async def test_somebody_without_the_permission_adds_nothing(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        with pytest.raises(PolicyDeniedError, match="send_notification"):
            await room.service.add("ops", "telegram", CHAT, Principal("vic"))


async def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops-telegram", "telegram", CHAT, ANN)
        for act in (room.service.reader.channel("ops-telegran"), room.service.remove("ops-telegran", ANN)):
            with pytest.raises(NotFoundError, match="ops-telegram"):
                await act
        with pytest.raises(NotFoundError):
            await room.service.reader.delivery("nothing")


@pytest.mark.parametrize("why", ["unknown", "disabled", "switched off"])
async def test_what_cannot_be_sent_fails_at_once_and_says_why(tmp_path: Path, why: str) -> None:
    async with open_room(tmp_path, settings={"enabled": why != "switched off"}) as room:
        if why != "unknown":
            await room.service.add("ops", "telegram", CHAT, ANN, enabled=why != "disabled")
        (delivery,) = await room.queue("ops")
        assert delivery.state is State.FAILED
        wanted = {"unknown": "no channel", "disabled": "disabled", "switched off": "notification.enabled is false"}[why]
        assert wanted in delivery.reason
        assert delivery.finished_at == delivery.created_at


async def test_secrets_are_taken_out_before_anything_is_stored(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        room.bench.redactor.register("sw0rdfish-of-tests", "password")
        await room.service.add("ops", "telegram", CHAT, ANN)
        (delivery,) = await room.queue(
            "ops", subject="pw sw0rdfish-of-tests", body="pw sw0rdfish-of-tests", metadata={"k": "sw0rdfish-of-tests"}
        )
        assert "sw0rdfish" not in await room.everything()
        assert "[redacted:password]" in delivery.body


@pytest.mark.parametrize("field", ["subject", "body"])
async def test_hostile_text_is_stored_whole_or_cleaned_and_never_fails(tmp_path: Path, field: str) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", CHAT, ANN)
        more: dict[str, Any] = {field: "a\x00b\ud800\r\nBcc: x\x1b[31m" + "y" * 100_000}
        (delivery,) = await room.queue("ops", **more)
        said = getattr(delivery, field)
        assert len(said) <= 65_536
        assert not set("\x00\x1b\r\ud800") & set(said)


async def test_a_source_that_is_none_is_found_when_the_notice_is_queued(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        with pytest.raises(ValueError, match="pigeon"):
            await room.service.submit(notice("ops", source="pigeon"))


async def test_a_test_message_is_tried_once_and_is_not_the_outboxs_to_send(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", CHAT, ANN)
        delivery = await room.service.test("ops", ANN, 120.0)
        assert (delivery.state, delivery.max_tries, dict(delivery.metadata)) == (State.CLAIMED, 1, {"type": "test"})
        await room.tick()
        assert (await room.one(delivery)).tries == 0
        with pytest.raises(NotFoundError):
            await room.service.test("nobody", ANN, 120.0)
