from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import (
    AkiliError,
    ConfigError,
    ConflictError,
    NotFoundError,
    PolicyDeniedError,
    PreconditionError,
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


HTTP_ANN, HTTP_BEN, HTTP_ADM = (Principal(name, Source.HTTP) for name in ("ann", "ben", "adm"))


async def test_from_elsewhere_a_channel_is_found_by_its_whole_id_and_by_its_owner_or_an_admin_only(
    tmp_path: Path,
) -> None:
    async with open_room(tmp_path) as room:
        url = {"url": "https://hooks.example.test/"}
        made = await room.service.add("ops", "webhook", url, HTTP_ANN)
        with pytest.raises(NotFoundError) as unknown:
            await room.service.edit("0" * 36, HTTP_BEN, enabled=False)
        for typed, by in ((made.id, HTTP_BEN), ("ops", HTTP_ANN), (made.id[:8], HTTP_ANN)):
            for act in (
                room.service.mine(by).by_id(typed),
                room.service.edit(typed, by, enabled=False),
                room.service.remove(typed, by),
                room.service.enable(typed, by, enabled=False),
                room.service.test(typed, by, 120.0),
            ):
                with pytest.raises(NotFoundError) as caught:
                    await act
                assert str(caught.value).replace(typed, "0" * 36) == str(unknown.value)
        assert await room.service.mine(HTTP_BEN).page() == await room.service.mine(HTTP_BEN).channels() == []
        assert await room.service.mine(HTTP_ANN).page(name="ops") == [made]
        assert (await room.service.test(made.id, HTTP_ANN, 120.0)).channel == "ops"
        assert not (await room.service.enable(made.id, HTTP_ADM, enabled=False)).enabled
        await room.service.remove(made.id, HTTP_ADM)


async def test_from_elsewhere_a_channel_may_be_named_by_its_owner_and_one_of_an_admin_by_everybody(
    tmp_path: Path,
) -> None:
    async with open_room(tmp_path) as room:
        url = {"url": "https://hooks.example.test/"}
        for name, by in (("anns", HTTP_ANN), ("bens", HTTP_BEN), ("all", HTTP_ADM)):
            await room.service.add(name, "webhook", url, by)
        names = ("anns", "bens", "all", "none")

        async def unknown(by: Principal | None) -> tuple[str, ...]:
            return await room.bench.db.read(lambda c: room.service.unknown(c, "default", names, by))

        assert await unknown(HTTP_ANN) == await unknown(Principal("ann", Source.CRON)) == ("bens", "none")
        assert await unknown(HTTP_BEN) == ("anns", "none")
        assert (
            await unknown(HTTP_ADM) == await unknown(Principal("ann", Source.CLI)) == await unknown(None) == ("none",)
        )


async def test_a_changed_channel_is_checked_as_a_new_one_and_keeps_its_name(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        made = await room.service.add("ops", "webhook", {"url": "https://hooks.example.test/t0k3n"}, ANN)
        new = await room.service.edit("ops", ANN, config={"url": "https://b.example.test/t0k3n"}, enabled=False)
        assert (new.id, new.name, new.enabled, new.config["url"]) == (
            made.id,
            "ops",
            False,
            "https://b.example.test/t0k3n",
        )
        assert await room.service.reader.channel("ops") == new
        wrong: tuple[dict[str, Any], ...] = (
            {"kind": "telegram"},
            {"config": {"uri": "x"}},
            {"credential_ref": "env://OPENAI_API_KEY"},
        )
        for one in wrong:
            with pytest.raises(AkiliError):
                await room.service.edit("ops", ANN, **one)
        assert await room.service.reader.channel("ops") == new
        record = (await room.bench.records())[-1].record
        assert (record.tool, record.user) == ("channels.edit", "ann")
        assert "t0k3n" not in str(record.parameters)


async def test_a_channel_is_changed_only_where_it_is_as_expected(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        made = await room.service.add("ops", "webhook", {"url": "https://hooks.example.test/"}, ANN)

        def refuse(now: object) -> None:
            assert now == made
            raise PreconditionError("changed")

        with pytest.raises(PreconditionError):
            await room.service.edit("ops", ANN, enabled=False, expects=refuse)
        with pytest.raises(PreconditionError):
            await room.service.remove("ops", ANN, expects=refuse)
        assert await room.service.reader.channel("ops") == made


async def test_of_some_deliveries_those_that_were_not_sent_are_told_with_the_reason(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "webhook", {"url": "https://hooks.example.test/"}, ANN)
        stored = await room.queue("ops", "gone")
        failed = {stored[1].id: ("gone", "there is no channel 'gone'")}
        assert await room.service.reader.not_sent([one.id for one in stored]) == failed
        assert await room.service.reader.not_sent([]) == {}
