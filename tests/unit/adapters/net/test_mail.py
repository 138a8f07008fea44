from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.net.mail import send_mail
from akili_cli.adapters.net.outgoing import Mail, MailTls, Wire
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AkiliError, PolicyDeniedError, ToolFailedError
from tests.fakes.certificates import authority
from tests.fakes.message_services import SMTP_PASSWORD, SMTP_USER, Fault, MailService, mail_serving
from tests.fakes.permits import permit_for

CA = authority()
TRUST = Wire(tls=CA.trusting())


def mail_to(port: int, tls: MailTls = MailTls.STARTTLS, **more: object) -> Mail:
    mail = Mail(
        host="127.0.0.1",
        port=port,
        tls=tls,
        username=SMTP_USER,
        password=SMTP_PASSWORD,
        sender="akili@example.test",
        recipients=("ops@example.test",),
        data=b"Subject: hi\r\n\r\n.\r\n97 %\r\n",
    )
    return replace(mail, **more)  # type: ignore[arg-type]


async def send(mail: Mail, wire: Wire = TRUST, timeout_s: float = 10.0, *, private: bool = True) -> dict[str, str]:
    hosts = (mail.authority,)
    try:
        return await send_mail(
            mail,
            permit=permit_for(Effects(hosts=hosts)),
            private_hosts=hosts if private else (),
            timeout_s=timeout_s,
            wire=wire,
        )
    except AkiliError as error:
        if SMTP_PASSWORD in str(error) + error.hint:
            raise AssertionError("an error shows the password") from None
        raise


@pytest.mark.parametrize("tls", [MailTls.STARTTLS, MailTls.AT_ONCE])
async def test_a_message_is_handed_in_encrypted_with_a_password(tls: MailTls, tmp_path: Path) -> None:
    async with mail_serving(MailService(implicit=tls is MailTls.AT_ONCE), CA.server(tmp_path)) as server:
        assert await send(mail_to(server.port, tls)) == {}
    assert server.logins == [SMTP_USER]
    assert server.secure == [True]
    assert server.taken[0].content == b"Subject: hi\r\n\r\n.\r\n97 %\r\n"
    assert server.taken[0].rcpt_tos == ["ops@example.test"]


@pytest.mark.parametrize("tls", [MailTls.STARTTLS, MailTls.AT_ONCE])
@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_wrong_certificate_ends_it_before_the_password(tls: MailTls, wrong: str, tmp_path: Path) -> None:
    context = authority().server(tmp_path) if wrong == "authority" else CA.server(tmp_path, "other.example.test")
    async with mail_serving(MailService(implicit=tls is MailTls.AT_ONCE), context) as server:
        with pytest.raises(ToolFailedError, match="certificate of 127") as error:
            await send(mail_to(server.port, tls))
        assert not error.value.retryable
    assert server.logins == server.requests == []


async def test_a_server_without_starttls_gets_nothing() -> None:
    async with mail_serving(MailService(), None) as server:
        with pytest.raises(ToolFailedError, match="STARTTLS") as error:
            await send(mail_to(server.port))
        assert not error.value.retryable
    assert server.logins == server.requests == []


async def test_a_password_is_never_sent_in_the_clear() -> None:
    async with mail_serving(MailService(), None) as server:
        with pytest.raises(ToolFailedError, match="without TLS"):
            await send(mail_to(server.port, MailTls.NEVER))
        assert await send(mail_to(server.port, MailTls.NEVER, password=None)) == {}
    assert server.logins == []
    assert len(server.taken) == 1


async def test_a_wrong_password_is_a_failure_for_good(tmp_path: Path) -> None:
    async with mail_serving(MailService(), CA.server(tmp_path)) as server:
        with pytest.raises(ToolFailedError, match="535") as error:
            await send(mail_to(server.port, password="not-the-password"))
        assert not error.value.retryable
        assert "not-the-password" not in str(error.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("fault", "again"), [("permanent", False), ("transient", True), ("limited", True), ("cut", True)]
)
async def test_a_server_that_will_not_says_whether_to_come_again(fault: Fault, again: bool, tmp_path: Path) -> None:
    async with mail_serving(MailService(faults=[fault]), CA.server(tmp_path)) as server:
        with pytest.raises(ToolFailedError) as error:
            await send(mail_to(server.port))
        assert error.value.retryable is again
    assert len(server.requests) == 1
    assert server.taken == []


async def test_recipients_that_are_refused_are_named_and_the_others_get_it(tmp_path: Path) -> None:
    two = ("ops@example.test", "gone@example.test")
    async with mail_serving(MailService(refuse={"gone@example.test"}), CA.server(tmp_path)) as server:
        refused = await send(mail_to(server.port, recipients=two))
        assert refused == {"gone@example.test": "550 no such user here"}
        assert server.taken[0].rcpt_tos == ["ops@example.test"]
        with pytest.raises(ToolFailedError, match="every recipient: 550") as error:
            await send(mail_to(server.port, recipients=two[1:]))
        assert not error.value.retryable


async def test_a_host_outside_the_permit_or_inside_the_network_is_refused() -> None:
    with pytest.raises(PolicyDeniedError, match="loopback"):
        await send(mail_to(25), private=False)
    with pytest.raises(PolicyDeniedError, match="permit does not name"):
        await send_mail(mail_to(25), permit=permit_for(Effects()), private_hosts=("127.0.0.1:25",), timeout_s=1.0)

    async def resolver(_host: str, _port: int) -> Sequence[str]:
        return ("169.254.169.254",)

    with pytest.raises(PolicyDeniedError, match="link-local"):
        await send(mail_to(25, host="mail.example.test"), Wire(resolver))


async def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path) -> None:
    async def resolver(_host: str, _port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    async with mail_serving(MailService(), CA.server(tmp_path, "mail.example.test")) as server:
        assert await send(mail_to(server.port, host="mail.example.test"), Wire(resolver, CA.trusting())) == {}
    assert len(server.taken) == 1


@pytest.mark.parametrize("drip", [False, True], ids=["silent", "dripping"])
async def test_a_server_that_never_ends_runs_into_the_deadline(drip: bool) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while drip and not writer.is_closing() and not reader.at_eof():
            writer.write(b"220-wait\r\n")
            await asyncio.sleep(0.05)
        await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    began = time.monotonic()
    with pytest.raises(ToolFailedError, match=r"0\.3 s") as error:
        await send(mail_to(server.sockets[0].getsockname()[1]), timeout_s=0.3)
    assert error.value.retryable
    assert time.monotonic() - began < 5
    await ended.wait()
    server.close()
    await server.wait_closed()


async def test_nobody_listening_may_be_tried_again() -> None:
    with pytest.raises(ToolFailedError) as error:
        await send(mail_to(1))
    assert error.value.retryable
