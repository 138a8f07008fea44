from __future__ import annotations

import json

import pytest

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.features.notifications.channels.slack import Slack
from akili_cli.features.notifications.model import Delivered, Failed, Retry
from tests.fakes.message_services import SLACK_TOKEN
from tests.unit.features.notifications.channels.accounts import account, around, message


def test_mentions_and_links_in_the_text_are_inert() -> None:
    one = message("<!channel> <http://x|y> & more", "<@U1>")
    post = Slack().request(account(SLACK_TOKEN, channel_id="C1"), around(), one, Slack().parts(one), 0)
    assert json.loads(post.body)["text"] == "*&lt;@U1&gt;*\n\n&lt;!channel&gt; &lt;http://x|y&gt; &amp; more"
    assert SLACK_TOKEN not in repr(post)


def test_escapes_count_towards_the_limit() -> None:
    one = message("&" * 3000)
    parts = Slack().parts(one)
    posts = [
        Slack().request(account(SLACK_TOKEN, channel_id="C1"), around(), one, parts, at) for at in range(len(parts))
    ]
    assert len(posts) == 4
    assert all(len(json.loads(post.body)["text"]) <= 4000 for post in posts)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"ok": True}, Delivered()),
        ({"ok": False, "error": "channel_not_found"}, Failed("answered channel_not_found")),
        ({"ok": False, "error": "invalid_auth"}, Failed("answered invalid_auth")),
        ({"ok": False, "error": "ratelimited"}, Retry("answered ratelimited", 9.0)),
        ({"ok": "true"}, Failed('answered what is no Slack answer: {"ok": "true"}')),
        ([], Failed("answered what is no Slack answer: []")),
    ],
)
def test_ok_is_what_counts(body: object, outcome: object) -> None:
    assert Slack().outcome(Posted(200, {"retry-after": "9"}, json.dumps(body).encode()), 0.0) == outcome


@pytest.mark.parametrize(("channel", "good"), [("C012", True), ("#ops", True), ("a b", False), ("", False)])
def test_a_channel_is_an_id_or_a_name(channel: str, good: bool) -> None:
    assert (Slack().problem({"channel_id": channel}) is None) is good
