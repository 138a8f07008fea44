from __future__ import annotations

import json

import pytest

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.signal import Signal
from akili_cli.features.notifications.model import Delivered
from tests.unit.features.notifications.channels.accounts import account, around, message

SETTINGS = {"signal": {"api_url": "https://signal.example.test", "sender_number": "+4915112345678"}}


def test_a_group_is_a_recipient() -> None:
    post = Signal().request(account(recipient="group.abc="), around(**SETTINGS), message(), ("hi",), 0)
    assert post.url == "https://signal.example.test/v2/send"
    assert json.loads(post.body) == {"message": "hi", "number": "+4915112345678", "recipients": ["group.abc="]}


def test_a_channel_may_name_a_sender_and_a_path_of_its_own() -> None:
    me = account(recipient="+4915100000", sender_number="+4915100001", signal_api_url="https://signal.example.test/a/")
    post = Signal().request(me, around(**SETTINGS), message(), ("hi",), 0)
    assert post.url == "https://signal.example.test/a/v2/send"
    assert json.loads(post.body)["number"] == "+4915100001"


@pytest.mark.parametrize(
    ("own", "more"),
    [
        ("https://evil.example.test", {}),
        ("https://signal.example.test:8443", {}),
        ("http://signal.example.test:443", {}),
        ("http://127.0.0.1:8080", {}),
    ],
    ids=["another host", "another port", "plain http", "this machine"],
)
def test_a_host_the_configuration_does_not_know_is_refused(own: str, more: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Signal().endpoint(account(recipient="+4915100000", signal_api_url=own), around(**SETTINGS, **more))  # type: ignore[arg-type]


def test_known_hosts_are_those_of_the_net_door() -> None:
    me = account(recipient="+4915100000", signal_api_url="http://127.0.0.1:8080")
    assert Signal().endpoint(me, around(private=("127.0.0.1:8080",))) == "127.0.0.1:8080"
    other = account(recipient="+4915100000", signal_api_url="https://a.example.test")
    assert Signal().endpoint(other, around(domains=("*.example.test",))) == "a.example.test:443"


def test_nothing_configured_is_said_so() -> None:
    with pytest.raises(ConfigError, match="no Signal API"):
        Signal().endpoint(account(recipient="+4915100000"), around())
    with pytest.raises(ConfigError, match="no Signal sender"):
        Signal().request(
            account(recipient="+4915100000"), around(signal={"api_url": "https://s.example.test"}), message(), ("x",), 0
        )


@pytest.mark.parametrize(
    ("config", "good"),
    [
        ({"recipient": "+4915100000"}, True),
        ({"recipient": "group.abc"}, True),
        ({"recipient": "bob"}, False),
        ({"recipient": "+4915100000", "sender_number": "bob"}, False),
        ({"recipient": "+4915100000", "signal_api_url": "http://u:p@h/"}, False),
    ],
)
def test_numbers_and_urls_are_checked(config: dict[str, str], good: bool) -> None:
    assert (Signal().problem(config) is None) is good


def test_created_is_delivered() -> None:
    assert Signal().outcome(Posted(201, {}, b""), 0.0) == Delivered()
