from __future__ import annotations

import socket

import pytest

from akili_cli.adapters.net.listen import is_loopback, open_listener, parse_listen
from akili_cli.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":8080", "", 8080),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("0.0.0.0:1", "0.0.0.0", 1),
        ("[::1]:65535", "::1", 65535),
        ("[0:0::1]:80", "::1", 80),
        ("127.0.0.1:0", "127.0.0.1", 0),
    ],
)
def test_an_address_is_split_from_its_port(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        "localhost:80",
        "127.1:80",
        "0177.0.0.1:80",
        "::1:80",
        "[127.0.0.1]:80",
        "[fe80::1%eth0]:80",
        "127.0.0.1:",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:٨٠",
        "127.0.0.1:8080 ",
        "*:80",
        "a.example:80",
    ],
)
def test_anything_else_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_listen(text)
    assert ":port" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "here_only"),
    [
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
    ],
)
def test_only_loopback_addresses_are_reachable_from_here_alone(host: str, here_only: bool) -> None:
    assert is_loopback(host) is here_only


def test_the_socket_listens_where_it_was_told() -> None:
    with open_listener("127.0.0.1:0") as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        with socket.create_connection((host, port), timeout=5):
            pass


def test_a_port_alone_listens_on_every_address() -> None:
    with open_listener(":0") as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


def test_a_port_in_use_is_named_with_the_way_to_find_who_uses_it() -> None:
    with open_listener("127.0.0.1:0") as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match="the port is in use") as caught:
            open_listener(f"127.0.0.1:{port}")
    assert f"sport = :{port}" in caught.value.hint


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not have that address"):
        open_listener("192.0.2.1:8080")


def test_a_port_for_root_only_is_refused_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_named: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ConfigError, match="ports below 1024 are for root") as caught:
        open_listener("127.0.0.1:80")
    assert "1024" in caught.value.hint
