from __future__ import annotations

from akili_cli.features.health.model import CheckResult, Readiness


def test_without_checks_a_node_is_ready() -> None:
    assert Readiness({}).as_dict() == {"status": "ok", "checks": {}}


def test_one_failed_check_is_enough() -> None:
    found = Readiness({"a": CheckResult("ok"), "b": CheckResult("fail", "why")})
    assert not found.ok
    assert found.as_dict() == {
        "status": "degraded",
        "checks": {"a": {"status": "ok"}, "b": {"status": "fail", "message": "why"}},
    }
