from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.fakes import message_services as services
from tests.fakes.message_services import HttpService, serving
from tests.integration.akili import ROLE, Akili

ENV = {"TELEGRAM_BOT_TOKEN": services.TELEGRAM_TOKEN}
SPEAKER = {"permissions": [*ROLE["permissions"], "send_notification"], "max_risk_level": "medium"}


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    return Akili(tmp_path)


@pytest.fixture
async def telegram() -> AsyncIterator[HttpService]:
    async with serving(services.TelegramService()) as service:
        yield service


@pytest.fixture
def configured(akili: Akili, telegram: HttpService) -> Callable[..., None]:
    def configure(role: object = SPEAKER, **more: object) -> None:
        akili.configure(
            security={"roles": {"operator": role}, "default_role": "operator"},
            tools={"web": {"allowed_private_hosts": [f"127.0.0.1:{telegram.port}"]}},
            notification={"enabled": True, "telegram": {"api_url": f"http://127.0.0.1:{telegram.port}"}},
            **more,
        )

    return configure


async def in_thread(akili: Akili, *arguments: str, env: dict[str, str] = ENV) -> tuple[int, str, str]:
    import asyncio

    done = await asyncio.to_thread(akili.run, *arguments, env=env)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert services.TELEGRAM_TOKEN not in out + err
    return done.returncode, out, err


async def test_a_channel_is_added_tested_and_seen(
    akili: Akili, telegram: HttpService, configured: Callable[..., None]
) -> None:
    configured()
    assert (await in_thread(akili, "channels", "add", "ops", "telegram", "--set", "chat_id=-100"))[0] == 0
    code, _, said = await in_thread(akili, "channels", "test", "ops")
    assert (code, said.strip()) == (0, "sent to ops")
    assert "akili test message" in telegram.texts()[0]
    code, out, _ = await in_thread(akili, "channels", "deliveries", "--json")
    (delivery,) = json.loads(out)
    assert (delivery["state"], delivery["channel"], delivery["tries"]) == ("sent", "ops", 1)
    code, out, _ = await in_thread(akili, "channels", "list")
    assert "chat_id=-100" in out
    database = (akili.workspace / "akili.db").read_bytes()
    assert services.TELEGRAM_TOKEN.encode() not in database


async def test_a_test_that_fails_says_why_and_ends_with_1(
    akili: Akili, telegram: HttpService, configured: Callable[..., None]
) -> None:
    configured()
    await in_thread(akili, "channels", "add", "ops", "telegram", "--set", "chat_id=1")
    telegram.faults += ["permanent", "transient"]
    code, _, said = await in_thread(akili, "channels", "test", "ops")
    assert (code, "bot was blocked" in said) == (1, True)
    code, out, _ = await in_thread(akili, "channels", "test", "ops", "--json")
    assert (code, json.loads(out)["status"], json.loads(out)["state"]) == (1, "failed", "failed")
    code, _, said = await in_thread(akili, "channels", "test", "ops", env={})
    assert (code, "TELEGRAM_BOT_TOKEN is not set" in said) == (1, True)
    await in_thread(akili, "channels", "disable", "ops")
    code, _, said = await in_thread(akili, "channels", "test", "ops")
    assert (code, "disabled" in said) == (1, True)
    assert len(telegram.requests) == 2


async def test_a_test_that_policy_refuses_or_holds_ends_with_2(
    akili: Akili, telegram: HttpService, configured: Callable[..., None]
) -> None:
    configured()
    await in_thread(akili, "channels", "add", "ops", "telegram", "--set", "chat_id=1")
    rules = [{"id": "quiet", "match": {"effects": ["channels"]}, "verdict": "deny", "because": "quiet hours"}]
    configured(policies={"rules": rules})
    code, _, said = await in_thread(akili, "channels", "test", "ops")
    assert (code, "quiet hours" in said) == (2, True)
    configured({**SPEAKER, "require_approval": ["send_notification"]})
    code, out, _ = await in_thread(akili, "channels", "test", "ops", "--json")
    assert (code, json.loads(out)["state"]) == (2, "held")
    approval = json.loads(out)["approval_id"]
    assert telegram.requests == []
    code, _, _ = await in_thread(akili, "approvals", "approve", approval)
    assert (code, len(telegram.taken)) == (0, 1)


async def test_whose_role_may_not_send_changes_nothing(
    akili: Akili, telegram: HttpService, configured: Callable[..., None]
) -> None:
    configured(ROLE)
    code, _, said = await in_thread(akili, "channels", "add", "ops", "telegram", "--set", "chat_id=1")
    assert (code, "send_notification" in said) == (2, True)
    assert json.loads((await in_thread(akili, "channels", "list", "--json"))[1]) == []


async def test_each_verb_says_what_it_did_in_json(
    akili: Akili, telegram: HttpService, configured: Callable[..., None]
) -> None:
    configured()
    made = ("channels", "add", "ops", "telegram", "--set", "chat_id=1", "--credential-ref", "env://TELEGRAM_BOT_TOKEN")
    for verb, enabled in ((made, True), (("channels", "disable", "ops"), False), (("channels", "enable", "ops"), True)):
        code, out, _ = await in_thread(akili, *verb, "--json")
        assert (code, json.loads(out)["enabled"]) == (0, enabled)
    _, out, _ = await in_thread(akili, "channels", "show", "ops", "--json")
    assert json.loads(out)["has_credential"] is True
    assert "env://" not in out
    assert (await in_thread(akili, "channels", "rm", "ops", "--json"))[0] == 0
    assert (await in_thread(akili, "channels", "show", "ops"))[0] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "ops", "telegram", "--set", "chat_id"), 64),
        (("add", "ops", "telegram", "--set", "chat_id=1", "--set", "chat_id=2"), 64),
        (("add", "ops", "telegram"), 64),
        (("add", "ops", "pigeon"), 1),
        (("add", "o p", "telegram", "--set", "chat_id=1"), 64),
        (("add", "ops", "telegram", "--set", "chat_id=1", "--credential-ref", "the-token-itself"), 1),
        (("add", "ops", "telegram", "--set", "chat_id=1", "--credential-ref", "env://PATH"), 2),
        (("rm", "ops"), 1),
        (("test", "ops"), 1),
        (("enable", "ops"), 1),
        (("deliveries", "--state", "sen"), 64),
        (("deliveries", "--limit", "0"), 64),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input_is_told_with_its_code(akili: Akili, arguments: tuple[str, ...], code: int) -> None:
    akili.configure(security={"roles": {"operator": SPEAKER}, "default_role": "operator"})
    done = akili.run("channels", *arguments)
    assert done.returncode == code, done.stderr
    assert b"the-token-itself" not in done.stdout + done.stderr


def test_adding_says_when_nothing_is_sent(akili: Akili) -> None:
    done = akili.run("channels", "add", "ops", "telegram", "--set", "chat_id=1")
    assert done.returncode == 0
    assert b"notification.enabled is false" in done.stderr
    assert akili.run("channels", "test", "ops").returncode == 1
