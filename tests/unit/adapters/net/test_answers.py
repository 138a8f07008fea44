from __future__ import annotations

import pytest

from akili_cli.adapters.net.answers import parsed, refusal
from akili_cli.domain.errors import RateLimitedError

SAID = {"error": "no", "code": "x", "hint": "do it", "correlation_id": "0011223344556677"}


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "invalid_arguments", 1),
        (401, "unauthorized", 2),
        (402, "budget_exceeded", 2),
        (403, "refused", 2),
        (404, "not_found", 1),
        (405, "error", 1),
        (409, "conflict", 1),
        (410, "expired", 1),
        (413, "error", 1),
        (418, "error", 1),
        (429, "rate_limited", 2),
        (500, "error", 1),
        (502, "unavailable", 3),
        (503, "unavailable", 3),
        (504, "unavailable", 3),
    ],
)
def test_a_status_is_the_error_it_stands_for(status: int, code: str, exit_code: int) -> None:
    error = refusal(status, {}, SAID, "http://g")
    assert (error.code, error.exit_code, error.hint) == (code, exit_code, "do it")
    assert str(error).startswith("no")
    assert ("0011223344556677" in str(error)) is (status >= 500)


@pytest.mark.parametrize("body", [None, [], "x", {"error": 5}, {"message": "<script>"}])
def test_what_is_not_the_shape_of_a_gateway_is_told_by_its_status_alone(body: object) -> None:
    assert str(refusal(500, {}, body, "http://g")) == "http://g answered with status 500"
    assert "before the gateway" in refusal(502, {}, body, "http://g").hint


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_said_and_not_where_to(status: int) -> None:
    error = refusal(status, {"location": "https://evil.example"}, None, "http://g")
    assert "redirect" in str(error)
    assert "evil" not in str(error) + error.hint
    assert error.exit_code == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", 1.0), ("soon", 1.0), ("9" * 30, 1.0), ("-4", 1.0)])
def test_how_long_to_wait_is_read_or_a_second(header: str, seconds: float) -> None:
    error = refusal(429, {"retry-after": header}, None, "http://g")
    assert isinstance(error, RateLimitedError)
    assert (error.retry_after_s, error.hint) == (seconds, f"try again in {seconds:g} s")


def test_the_fields_that_do_not_fit_are_named() -> None:
    fields = [{"field": "max_steps", "problem": "must be at least 1"}, "x", {"problem": 5}]
    error = refusal(400, {}, {**SAID, "fields": fields}, "http://g")
    assert str(error) == "no (max_steps: must be at least 1; : 5)"


def test_words_without_end_are_cut() -> None:
    error = refusal(400, {}, {"error": "x" * 10_000, "hint": "y" * 10_000}, "http://g")
    assert (len(str(error)), len(error.hint)) == (2000, 2000)


@pytest.mark.parametrize("data", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff", b"9" * 100_000])
def test_what_is_no_json_is_nothing(data: bytes) -> None:
    assert parsed(data) is None
