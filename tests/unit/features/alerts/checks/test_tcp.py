from __future__ import annotations

import pytest

from akili_cli.domain.calls import Status
from akili_cli.features.alerts.checks.tcp import TCP
from tests.fakes.alerts import step


@pytest.mark.parametrize(("target", "host", "port"), [("db.example:5432", "db.example", 5432), ("[::1]:22", "::1", 22)])
def test_it_asks_for_a_connection(target: str, host: str, port: int) -> None:
    assert TCP.problem(target, {}) is None
    assert TCP.look(target, {}).arguments == {"kind": "tcp", "host": host, "port": port, "timeout_s": 10}


@pytest.mark.parametrize(
    "target", ["db.example", "db.example:0", "db.example:99999", "a b:1", "u@h:1", "h:1/x", "https://h:1", "", "[::1]"]
)
def test_what_is_no_host_and_port_is_said(target: str) -> None:
    assert TCP.problem(target, {})


def test_no_connection_is_an_alert() -> None:
    assert [TCP.judge(step(one), {}).status for one in (Status.OK, Status.FAILED)] == ["ok", "alert"]
