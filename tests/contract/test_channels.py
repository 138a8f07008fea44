from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akili_cli.adapters.net.outgoing import Wire
from akili_cli.features.notifications.channels import TYPES, channel_type
from akili_cli.features.notifications.model import State
from tests.contract.places import AnyDatabase
from tests.fakes import message_services as services
from tests.fakes.certificates import authority
from tests.fakes.message_services import Fault, HttpService, MailService, mail_serving, serving
from tests.fakes.notifications import ANN, Room, open_room

pytestmark = pytest.mark.filterwarnings("ignore:'(imghdr|cgi)' is deprecated:DeprecationWarning")  # apprise's imports
CA = authority()
STRANGER = authority("a stranger")
SECRETS = (
    services.TELEGRAM_TOKEN,
    services.SLACK_TOKEN,
    services.WHATSAPP_TOKEN,
    services.HOOK_SECRET,
    services.SMTP_PASSWORD,
    "tests-only-apprise-pass",
)


@dataclass(frozen=True)
class Type:
    """How a test reaches a service of one type over TLS; ``told`` says that its client learns of waits and reasons."""

    service: Callable[[], HttpService | MailService]
    config: dict[str, str]
    settings: Callable[[int], dict[str, Any]]
    env: Callable[[int], dict[str, str]]
    credential: str | None = None
    told: bool = True
    waits: bool = True
    path: str = ""
    plain: bool = False


def no_settings(_port: int) -> dict[str, Any]:
    return {}


CASES = {
    "telegram": Type(
        services.TelegramService,
        {"chat_id": "-100123"},
        lambda port: {"telegram": {"api_url": f"https://127.0.0.1:{port}"}},
        lambda port: {"TELEGRAM_BOT_TOKEN": services.TELEGRAM_TOKEN},
    ),
    "slack": Type(
        services.SlackService,
        {"channel_id": "C0123"},
        lambda port: {"slack": {"api_url": f"https://127.0.0.1:{port}/api"}},
        lambda port: {"SLACK_BOT_TOKEN": services.SLACK_TOKEN},
    ),
    "whatsapp": Type(
        services.WhatsAppService,
        {"phone_number_id": "4242", "recipient": "4915112345678"},
        lambda port: {"whatsapp": {"api_url": f"https://127.0.0.1:{port}/v21.0"}},
        lambda port: {"WHATSAPP_ACCESS_TOKEN": services.WHATSAPP_TOKEN},
    ),
    "signal": Type(
        services.SignalService,
        {"recipient": "group.abc="},
        lambda port: {"signal": {"api_url": f"https://127.0.0.1:{port}", "sender_number": "+4915112345678"}},
        lambda port: {},
    ),
    "email": Type(
        MailService,
        {"to": "ops@example.test, boss@example.test"},
        lambda port: {
            "email": {
                "host": "127.0.0.1",
                "port": port,
                "username": services.SMTP_USER,
                "from": "akili@example.test",
            }
        },
        lambda port: {"CHANNEL_SMTP": services.SMTP_PASSWORD},
        credential="env://CHANNEL_SMTP",
        waits=False,
    ),
    "webhook": Type(
        services.WebhookService,
        {"url": "https://127.0.0.1:{port}/hook"},
        no_settings,
        lambda port: {"CHANNEL_HOOK": services.HOOK_SECRET},
        credential="env://CHANNEL_HOOK",
    ),
    "apprise": Type(
        services.JsonService,
        {},
        no_settings,
        lambda port: {"CHANNEL_URL": f"json://akili:tests-only-apprise-pass@127.0.0.1:{port}/x"},
        credential="env://CHANNEL_URL",
        told=False,
        waits=False,
        plain=True,
    ),
}


@dataclass
class Stage:
    room: Room
    service: HttpService | MailService
    case: Type
    said: list[str] = field(default_factory=list)


@pytest.fixture(params=sorted(CASES))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "apprise":
        pytest.importorskip("apprise")
    return name


@contextlib.asynccontextmanager
async def stage(
    kind: str, tmp_path: Path, db: AnyDatabase, *, trusted: bool = True, secure: bool = True, **more: Any
) -> AsyncIterator[Stage]:
    case = CASES[kind]
    service = case.service()
    tls = (CA if trusted else STRANGER).server(tmp_path) if secure and not case.plain else None
    opened = mail_serving(service, tls) if isinstance(service, MailService) else serving(service, tls)
    async with (
        opened,
        open_room(
            tmp_path,
            db=db,
            settings={**case.settings(service.port), **more},
            env=case.env(service.port),
            private=(f"127.0.0.1:{service.port}",),
            wire=Wire(tls=CA.trusting()),
        ) as room,
    ):
        config = {key: value.replace("{port}", str(service.port)) for key, value in case.config.items()}
        await room.service.add("ops", kind, config, ANN, credential_ref=case.credential)
        yield Stage(room, service, case)


async def results(room: Room) -> list[str]:
    """Give what the audit says of the calls, the intents left out."""
    records = [entry.record for entry in await room.bench.records()]
    return [str(one.result) for one in records if one.tool == "notification_deliver" and one.result != "intent"]


async def is_clean(room: Room, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Look for each secret, and for its most telling part, in all that was written or printed."""
    printed = capsys.readouterr()
    everything = (await room.everything()) + caplog.text + printed.out + printed.err
    assert "ops" in everything
    for secret in SECRETS:
        assert secret not in everything
        assert secret[-12:] not in everything


def test_every_registered_type_is_held_to_this_contract() -> None:
    assert set(CASES) == set(TYPES.names())


async def test_a_message_is_taken_once(
    kind: str,
    tmp_path: Path,
    db: AnyDatabase,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage(kind, tmp_path, db) as at:
        (delivery,) = await at.room.queue("ops", key="alert:1:fired")
        assert delivery.state is State.QUEUED
        assert not at.service.requests
        ended = await at.room.settle(delivery)
        assert (ended.state, ended.tries, ended.reason) == (State.SENT, 1, "")
        again = await at.room.queue("ops", key="alert:1:fired")
        assert [one.id for one in again] == [delivery.id]
        await at.room.tick()
        (text,) = at.service.texts()
        assert "disk full" in text
        assert "web1: /var is 97% full" in text
        assert await results(at.room) == ["success"]
        await is_clean(at.room, caplog, capsys)


async def test_a_permanent_failure_is_not_tried_again(
    kind: str,
    tmp_path: Path,
    db: AnyDatabase,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage(kind, tmp_path, db) as at:
        faults: list[Fault] = ["permanent"] * 9
        at.service.faults += faults
        (delivery,) = await at.room.queue("ops")
        ended = await at.room.settle(delivery)
        tries = 1 if at.case.told else 3
        assert (ended.state, ended.tries) == (State.FAILED, tries)
        assert ended.reason
        assert len(at.service.requests) == tries
        assert at.service.taken == []
        assert await results(at.room) == ["failure"] * tries
        await is_clean(at.room, caplog, capsys)


@pytest.mark.parametrize("fault", ["transient", "cut"])
async def test_a_passing_failure_is_tried_again_and_then_taken_once(
    fault: Fault,
    kind: str,
    tmp_path: Path,
    db: AnyDatabase,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage(kind, tmp_path, db) as at:
        at.service.faults += [fault, fault]
        (delivery,) = await at.room.queue("ops")
        ended = await at.room.settle(delivery)
        assert (ended.state, ended.tries) == (State.SENT, 3)
        assert at.room.waits == [5.0, 20.0]
        assert len(at.service.requests) == 3
        assert len(at.service.taken) == 1
        assert await results(at.room) == ["failure", "failure", "success"]
        await is_clean(at.room, caplog, capsys)


async def test_tries_come_to_an_end(kind: str, tmp_path: Path, db: AnyDatabase) -> None:
    async with stage(kind, tmp_path, db, max_tries=2) as at:
        faults: list[Fault] = ["transient"] * 9
        at.service.faults += faults
        (delivery,) = await at.room.queue("ops")
        ended = await at.room.settle(delivery)
        assert (ended.state, ended.tries) == (State.FAILED, 2)
        assert "tried 2 times" in ended.reason
        assert len(at.service.requests) == 2


async def test_a_service_that_asks_to_wait_is_left_alone_so_long(kind: str, tmp_path: Path, db: AnyDatabase) -> None:
    async with stage(kind, tmp_path, db) as at:
        at.service.faults.append("limited")
        first, second = [(await at.room.queue("ops", key=key))[0] for key in ("k1", "k2")]
        await at.room.tick()
        if at.case.waits:
            at.room.bench.clock.move(services.WAIT_S - 1)
            await at.room.tick()
            assert len(at.service.requests) == 1
            at.room.bench.clock.move(1)
        ended = [await at.room.settle(one) for one in (first, second)]
        assert [one.state for one in ended] == [State.SENT, State.SENT]
        assert (len(at.service.requests), len(at.service.taken)) == (3, 2)


async def test_an_unknown_certificate_is_never_talked_to(
    kind: str,
    tmp_path: Path,
    db: AnyDatabase,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if CASES[kind].plain:
        pytest.skip("apprise trusts whom it likes; see test_apprise")
    caplog.set_level(logging.DEBUG)
    async with stage(kind, tmp_path, db, trusted=False) as at:
        (delivery,) = await at.room.queue("ops")
        ended = await at.room.settle(delivery)
        assert (ended.state, ended.tries) == (State.FAILED, 1)
        assert "the certificate of 127.0.0.1" in ended.reason
        assert at.service.requests == []
        assert await results(at.room) == ["failure"]
        await is_clean(at.room, caplog, capsys)


async def test_a_private_address_that_nobody_named_is_refused(kind: str, tmp_path: Path, db: AnyDatabase) -> None:
    async with stage(kind, tmp_path, db) as at:
        object.__setattr__(at.room.courier, "around", _without_private(at.room))
        (delivery,) = await at.room.queue("ops")
        ended = await at.room.settle(delivery)
        assert (ended.state, ended.tries) == (State.FAILED, 1)
        assert at.service.requests == []


def _without_private(room: Room) -> Any:
    from dataclasses import replace

    ports = tuple(range(1, 65536))
    return replace(room.courier.around, private_hosts=(), allowed_ports=ports)


async def test_a_long_message_is_cut_to_the_limit_and_only_what_is_missing_is_sent_again(
    kind: str, tmp_path: Path, db: AnyDatabase
) -> None:
    async with stage(kind, tmp_path, db) as at:
        text = "\n".join(f"line {number} & <é😀> end" for number in range(700))
        (delivery,) = await at.room.queue("ops", body=text)
        parts = channel_type(kind).parts(_message(text))
        if len(parts) > 1:
            await _cut_after_first(at)
        ended = await at.room.settle(delivery)
        assert (ended.state, ended.parts_done) == (State.SENT, len(parts))
        texts = at.service.texts()
        assert len(texts) == len(parts)
        joined = "".join(one.partition("]\n")[2] if len(parts) > 1 else one for one in texts)
        expected = f"disk full\n\n{text}"
        if kind == "slack":
            joined = joined.replace("*disk full*", "disk full", 1)
        if kind != "apprise":
            assert joined.replace("\r\n", "\n") == expected
        if len(parts) > 1:
            assert [one.partition("]")[0] for one in texts] == [
                f"[Part {at_}/{len(parts)}" for at_ in range(1, len(parts) + 1)
            ]


async def _cut_after_first(at: Stage) -> None:
    service = at.service
    assert isinstance(service, HttpService)
    real = service.accepted

    def once(got: Any) -> Any:
        answer = real(got)
        service.accepted = real  # type: ignore[method-assign]
        service.faults.append("cut")
        return answer

    service.accepted = once  # type: ignore[method-assign]


def _message(text: str) -> Any:
    from akili_cli.features.notifications.model import Message

    return Message("id", "ops", "disk full", text, {}, 0.0, 0.0)
