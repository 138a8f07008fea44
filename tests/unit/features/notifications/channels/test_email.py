from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from akili_cli.adapters.net.outgoing import MailTls
from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.email import Email
from tests.unit.features.notifications.channels.accounts import account, around, message

SERVER = {"host": "mail.example.test", "from": "akili@example.test", "username": "akili"}


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)  # type: ignore[arg-type, return-value]


def test_a_message_has_all_its_headers_and_keeps_its_id() -> None:
    one = message("97 % voll: größer 😀\n.\nend", "Überlauf")
    me = account("p4ssword-of-tests", to="a@example.test, b@example.test,a@example.test")
    mails = [Email().request(me, around(email=SERVER), one, Email().parts(one), 0) for _ in range(2)]
    assert mails[0].data == mails[1].data
    mail = mails[0]
    assert mail.recipients == ("a@example.test", "b@example.test")
    assert mail.data.isascii()
    assert mail.data.count(b"\n") == mail.data.count(b"\r\n")
    read = parsed(mail.data)
    assert read["Subject"] == "Überlauf"
    assert read["Message-ID"] == "<d-1@example.test>"
    assert read["Date"] == "Tue, 17 Feb 2026 12:00:00 +0000"
    assert read["MIME-Version"] == "1.0"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read.get_content().replace("\r\n", "\n") == "97 % voll: größer 😀\n.\nend\n"
    assert "p4ssword" not in repr(mail)


@pytest.mark.parametrize(
    ("more", "tls"),
    [
        ({}, MailTls.STARTTLS),
        ({"port": 465}, MailTls.AT_ONCE),
        ({"port": 25, "tls": False}, MailTls.NEVER),
        ({"port": 465, "tls": False}, MailTls.NEVER),
    ],
)
def test_encryption_begins_as_the_port_says(more: dict[str, object], tls: MailTls) -> None:
    mail = Email().request(account(to="a@example.test"), around(email=SERVER | more), message(), ("x",), 0)
    assert mail.tls is tls


def test_the_endpoint_is_the_configured_server() -> None:
    assert Email().endpoint(account(), around(email=SERVER)) == "mail.example.test:587"
    assert Email().endpoint(account(), around(email=SERVER | {"host": "::1", "port": 25})) == "[::1]:25"
    with pytest.raises(ConfigError, match="no mail server"):
        Email().endpoint(account(), around())


def test_a_password_needs_a_user_name() -> None:
    nameless = {"host": "mail.example.test", "from": "akili@example.test"}
    with pytest.raises(ConfigError, match="username"):
        Email().request(account("pw", to="a@example.test"), around(email=nameless), message(), ("x",), 0)


@pytest.mark.parametrize("to", ["a@example.test", "a@example.test, b.c+d@sub.example.test"])
def test_addresses_are_separated_by_commas(to: str) -> None:
    assert Email().problem({"to": to}) is None


@pytest.mark.parametrize(
    "to",
    [
        "",
        ",",
        "bob",
        "a@example.test\r\nBcc: x@example.test",
        "Bob <a@example.test>",
        "ä@example.test",
        "a@b@c",
        "a@x y",
        ",".join(f"a{number}@example.test" for number in range(51)),
    ],
    ids=["empty", "comma", "word", "injection", "named", "not ascii", "two at", "space", "many"],
)
def test_what_is_no_plain_address_is_refused(to: str) -> None:
    assert Email().problem({"to": to}) is not None
