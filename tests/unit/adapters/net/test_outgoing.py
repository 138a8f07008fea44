from __future__ import annotations

import pytest

from akili_cli.adapters.net.outgoing import Apprise, Mail, MailTls, Post, host_and_port
from akili_cli.domain.errors import InvalidArgumentsError

SECRET = "tests-only-s3cret"


def test_nothing_secret_shows_in_a_repr() -> None:
    post = Post(f"https://h/{SECRET}", {"Authorization": SECRET}, SECRET.encode())
    mail = Mail(
        host="h",
        port=25,
        tls=MailTls.NEVER,
        username="u",
        password=SECRET,
        sender="a@b",
        recipients=(),
        data=SECRET.encode(),
    )
    assert SECRET not in repr((post, mail, Apprise(f"json://{SECRET}", "t", "b")))


def test_an_authority_has_the_form_of_effects() -> None:
    assert host_and_port("Mail.Example.test", 587) == "mail.example.test:587"
    assert host_and_port("::1", 25) == "[::1]:25"
    with pytest.raises(InvalidArgumentsError):
        host_and_port("0x7f.1", 25)
