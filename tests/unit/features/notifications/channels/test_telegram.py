from __future__ import annotations

import json

import pytest

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.telegram import Telegram
from akili_cli.features.notifications.model import Delivered, Failed, Retry
from tests.fakes.message_services import TELEGRAM_TOKEN, units, visible
from tests.unit.features.notifications.channels.accounts import account, around, message

ME = account(TELEGRAM_TOKEN, chat_id="-1")


def test_markup_is_escaped_so_that_no_character_makes_telegram_refuse() -> None:
    one = message("a_b*c [d](e) <b>&amp;", "1 < 2 & 3")
    post = Telegram().request(ME, around(), one, Telegram().parts(one), 0)
    body = json.loads(post.body)
    assert body["text"].startswith("<b>1 &lt; 2 &amp; 3</b>\n\n")
    assert visible(body["text"]) == "1 < 2 & 3\n\na_b*c [d](e) <b>&amp;"
    assert body["chat_id"] == "-1"


def test_parts_are_counted_in_utf_16_units() -> None:
    one = message("😀" * 5000)
    parts = Telegram().parts(one)
    assert len(parts) == 3
    assert all(units(part) <= 4000 for part in parts)


@pytest.mark.parametrize(
    "token", ["", "abc", "123:short", f"{TELEGRAM_TOKEN}/../x", f"{TELEGRAM_TOKEN}\r\n", "1:" + "é" * 30]
)
def test_what_is_no_token_never_becomes_part_of_a_url(token: str) -> None:
    with pytest.raises(ConfigError) as error:
        Telegram().request(account(token, chat_id="1"), around(), message(), ("x",), 0)
    assert not token or token not in str(error.value)


def test_the_token_shows_in_no_repr() -> None:
    post = Telegram().request(ME, around(), message(), ("x",), 0)
    assert TELEGRAM_TOKEN not in repr((ME, post))


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"ok": True}, Delivered()),
        (429, {"parameters": {"retry_after": 7}, "description": "slow"}, Retry("answered 429: slow", 7.0)),
        (429, {"parameters": {"retry_after": "x"}, "description": "slow"}, Retry("answered 429: slow", None)),
        (403, {"description": "blocked"}, Failed("answered 403: blocked")),
        (502, {"description": "bad"}, Retry("answered 502: bad", None)),
    ],
)
def test_an_answer_is_read(status: int, body: dict[str, object], outcome: object) -> None:
    assert Telegram().outcome(Posted(status, {}, json.dumps(body).encode()), 0.0) == outcome


@pytest.mark.parametrize("chat", ["1", "-100123", "@ops_room"])
def test_a_chat_is_a_number_or_a_name(chat: str) -> None:
    assert Telegram().problem({"chat_id": chat}) is None


@pytest.mark.parametrize("chat", ["", "x", "1 2", "@a", "1\n"])
def test_anything_else_is_no_chat(chat: str) -> None:
    assert Telegram().problem({"chat_id": chat}) is not None
