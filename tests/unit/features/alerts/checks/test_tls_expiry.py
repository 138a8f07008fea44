from __future__ import annotations

import pytest

from akili_cli.domain.calls import Status
from akili_cli.features.alerts.checks.tls_expiry import TLS_EXPIRY
from tests.fakes.alerts import step


@pytest.mark.parametrize(
    ("target", "port"),
    [("example.com", 443), ("example.com:8443", 8443), ("https://example.com/x", 443), ("https://example.com:9/", 9)],
)
def test_it_asks_for_a_handshake(target: str, port: int) -> None:
    assert TLS_EXPIRY.problem(target, {"min_days": "0"}) is None
    call = TLS_EXPIRY.look(target, {"min_days": "7"})
    assert call.arguments == {"kind": "tls", "host": "example.com", "port": port, "min_days": 7, "timeout_s": 10}


@pytest.mark.parametrize(
    ("target", "config"),
    [("http://example.com", {}), ("a/b", {}), ("example.com", {"min_days": "-1"}), ("example.com", {"days": "1"})],
    ids=str,
)
def test_what_could_never_work_is_said(target: str, config: dict[str, str]) -> None:
    assert TLS_EXPIRY.problem(target, config)


def test_a_certificate_that_ends_soon_is_an_alert() -> None:
    assert [TLS_EXPIRY.judge(step(one), {}).status for one in (Status.OK, Status.FAILED)] == ["ok", "alert"]
