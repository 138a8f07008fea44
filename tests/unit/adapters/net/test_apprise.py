from __future__ import annotations

import sys

import pytest

from akili_cli.adapters.net.apprise import apprise_host, send_apprise
from akili_cli.adapters.net.outgoing import Apprise
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConfigError, PolicyDeniedError, ToolFailedError
from tests.fakes.message_services import JsonService, serving
from tests.fakes.permits import permit_for

pytestmark = pytest.mark.filterwarnings("ignore:'(imghdr|cgi)' is deprecated:DeprecationWarning")
SECRET = "tests-only-pw"


async def send(url: str, host: str, *, private: bool = True) -> None:
    permit = permit_for(Effects(hosts=(host,)))
    await send_apprise(Apprise(url, "t", "b"), permit=permit, private_hosts=(host,) if private else (), timeout_s=5.0)


async def test_a_message_is_delivered_to_the_declared_host() -> None:
    pytest.importorskip("apprise")
    async with serving(JsonService()) as server:
        await send(f"json://u:{SECRET}@127.0.0.1:{server.port}/x", f"127.0.0.1:{server.port}")
    assert server.taken[0].json["message"] == "b"


async def test_what_is_not_taken_may_be_tried_again_and_nothing_secret_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("apprise")
    async with serving(JsonService(faults=["permanent"])) as server:
        with pytest.raises(ToolFailedError) as error:
            await send(f"json://u:{SECRET}@127.0.0.1:{server.port}/x", f"127.0.0.1:{server.port}")
    assert error.value.retryable
    assert SECRET not in str(error.value) + caplog.text


async def test_a_host_outside_the_permit_or_inside_the_network_is_refused() -> None:
    with pytest.raises(PolicyDeniedError, match="permit"):
        await send("json://127.0.0.1:1/", "127.0.0.1:2")
    with pytest.raises(PolicyDeniedError, match="loopback"):
        await send("json://127.0.0.1:1/", "127.0.0.1:1", private=False)


async def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError) as error:
        await send("json://127.0.0.1:1/", "127.0.0.1:1")
    assert "akili-cli[apprise]" in error.value.hint


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("json://h.example.test/x", "h.example.test:80"),
        ("jsons://u:p@h.example.test", "h.example.test:443"),
        ("GOTIFYS://h.example.test:8443/token", "h.example.test:8443"),
        ("discord://id/token", "discord.com:443"),
        ("tgram://123:abc/456", "api.telegram.org:443"),
    ],
)
def test_the_host_of_known_schemes_is_told(url: str, host: str) -> None:
    assert apprise_host(url) == host


@pytest.mark.parametrize(
    "url",
    [
        f"mailto://u:{SECRET}@example.test",
        f"mailtos://u:{SECRET}@example.test?smtp=evil.example.test",
        f"opsgenie://{SECRET}?region=eu",
        f"json://h.example.test/?{SECRET}",
        f"json://:{SECRET}@",
        f"json://[{SECRET}",
        f"json://0x7f.1/{SECRET}",
        f"json://h:99999999/{SECRET}",
        f"syslog://{SECRET}",
        f"exec:///bin/{SECRET}",
        SECRET,
        "",
    ],
)
def test_every_other_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        apprise_host(url)
    assert SECRET not in str(error.value) + error.value.hint
