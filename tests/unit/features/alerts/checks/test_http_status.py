from __future__ import annotations

import pytest

from akili_cli.domain.calls import Status
from akili_cli.features.alerts.checks.http_status import HTTP_STATUS
from tests.fakes.alerts import step

URL = {"url": "https://example.com/"}


def test_it_asks_for_a_get_with_the_expected_status() -> None:
    call = HTTP_STATUS.look("x", {**URL, "expected_status": "204", "timeout_seconds": "3"})
    assert call.tool == "endpoint_check"
    assert call.arguments == {"kind": "http", "url": URL["url"], "expected_status": 204, "timeout_s": 3}


@pytest.mark.parametrize(
    "config",
    [
        {"url": "ftp://example.com"},
        {"url": "http://good.example:x@169.254.169.254/"},
        {**URL, "expected_status": "ok"},
        {**URL, "expected_status": "99"},
        {**URL, "expected_status": "²00"},
        {**URL, "timeout_seconds": "0"},
        {**URL, "timeout_seconds": "61"},
        {**URL, "method": "POST"},
    ],
    ids=str,
)
def test_what_could_never_work_is_said(config: dict[str, str]) -> None:
    assert HTTP_STATUS.problem("x", URL) is None
    assert HTTP_STATUS.problem("x", config)


def test_what_the_tool_did_not_like_is_an_alert() -> None:
    assert HTTP_STATUS.judge(step(Status.OK), {}).status == "ok"
    assert HTTP_STATUS.judge(step(Status.FAILED), {}).status == "alert"
