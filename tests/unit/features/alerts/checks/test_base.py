from __future__ import annotations

import pytest

from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.features.alerts.checks import TYPES, check_type, filled
from akili_cli.features.alerts.checks.base import host_port, number_problem
from akili_cli.features.alerts.model import Check


def test_every_type_is_known_by_its_name() -> None:
    assert set(TYPES) == {"http_status", "tcp", "tls_expiry", "command", "heartbeat_missing"}
    with pytest.raises(InvalidArgumentsError, match="http_status"):
        check_type("http_statis")


def test_an_absent_url_is_the_target_and_follows_it() -> None:
    first = filled(Check("http_status", "https://a.example/", {}))
    assert first.config == {"url": "https://a.example/"}
    moved = filled(Check("http_status", "https://b.example/", first.config), first)
    assert moved.config == {"url": "https://b.example/"}
    own = Check("http_status", "the shop", {"url": "https://a.example/"})
    assert filled(Check("http_status", "the store", own.config), own).config == own.config


def test_a_check_that_could_never_work_is_refused() -> None:
    with pytest.raises(InvalidArgumentsError, match="host:port"):
        filled(Check("tcp", "nowhere", {}))


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "11", "٣", " 1"])
def test_a_setting_that_is_no_number_in_bounds_is_said(text: str) -> None:
    assert number_problem({"n": text}, "n", 1, 10)
    assert number_problem({"n": "10"}, "n", 1, 10) is None


def test_a_port_may_come_from_the_type() -> None:
    assert host_port("a.example", "443") == ("a.example", 443)
    with pytest.raises(InvalidArgumentsError):
        host_port("a.example")
