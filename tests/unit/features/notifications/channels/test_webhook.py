from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.webhook import Webhook, signature
from akili_cli.features.notifications.model import Failed
from tests.fakes.message_services import HOOK_SECRET
from tests.unit.features.notifications.channels.accounts import account, around, message


def test_a_request_is_signed_and_carries_its_key() -> None:
    post = Webhook().request(account(HOOK_SECRET, url="https://h.example.test/x"), around(), message(), ("97%",), 0)
    assert json.loads(post.body) == {"subject": "disk full", "body": "97%", "metadata": {"k": "v"}, "channel": "ops"}
    assert post.headers["Idempotency-Key"] == "d-1"
    assert post.headers["User-Agent"] == "Akili-Webhook/1.0"
    wanted = hmac.new(HOOK_SECRET.encode(), b"1771329700." + post.body, hashlib.sha256).hexdigest()
    assert post.headers["X-Akili-Signature"] == f"t=1771329700,v1={wanted}"


def test_without_a_secret_nothing_is_signed() -> None:
    post = Webhook().request(account(url="https://h.example.test/x"), around(), message(), ("x",), 0)
    assert "X-Akili-Signature" not in post.headers


def test_a_secret_that_is_easily_guessed_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as error:
        signature("hunter2", 1, b"")
    assert "hunter2" not in str(error.value)


def test_a_redirect_is_a_failure() -> None:
    answer = Posted(302, {"location": "http://169.254.169.254/"}, b"")
    assert Webhook().outcome(answer, 0.0) == Failed("answered 302")


@pytest.mark.parametrize("url", ["ftp://h/", "https://u:p@h/", "http://0x7f.1/", "//h/x", "https://h/\r\nX: y", ""])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert Webhook().problem({"url": url}) is not None


def test_the_endpoint_is_the_urls_host() -> None:
    assert Webhook().endpoint(account(url="https://h.example.test/x"), around()) == "h.example.test:443"
