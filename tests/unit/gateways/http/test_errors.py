from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.errors import (
    AkiliError,
    BudgetExceededError,
    ConflictError,
    InvalidBodyError,
    NotFoundError,
    PolicyDeniedError,
    RateLimitedError,
    SlowRequestError,
    TooLargeError,
    UnauthorizedError,
    UnsupportedTypeError,
)
from akili_cli.gateways.http.errors import error_body, error_response, internal_response
from tests.fakes.edge import Site, open_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnauthorizedError("x"), 401, "unauthorized"),
        (PolicyDeniedError("x"), 403, "policy_denied"),
        (BudgetExceededError("x"), 402, "budget_exceeded"),
        (NotFoundError("x"), 404, "not_found"),
        (ConflictError("x"), 409, "conflict"),
        (SlowRequestError("x"), 408, "request_timeout"),
        (TooLargeError("x"), 413, "too_large"),
        (UnsupportedTypeError("x"), 415, "unsupported_type"),
        (InvalidBodyError("x"), 400, "invalid_body"),
        (RateLimitedError("x", retry_after_s=0.2), 429, "rate_limited"),
        (AkiliError("x"), 500, "error"),
    ],
)
def test_every_error_has_its_status_and_its_word(error: AkiliError, status: int, code: str) -> None:
    answer = error_response(error, Redactor(), correlation_id="c1")
    assert answer.status_code == status
    assert json.loads(answer.body) == {"error": "x", "code": code, "hint": "", "correlation_id": "c1"}


def test_a_client_is_told_when_to_come_again_and_how_to_say_who_it_is() -> None:
    def headers(error: AkiliError) -> dict[str, str]:
        return dict(error_response(error, Redactor()).headers)

    assert headers(RateLimitedError("x", retry_after_s=0.2))["retry-after"] == "1"
    assert headers(RateLimitedError("x", retry_after_s=9.1))["retry-after"] == "10"
    assert headers(UnauthorizedError("x"))["www-authenticate"] == "Bearer"
    assert headers(SlowRequestError("x"))["connection"] == "close"


def test_what_a_route_adds_and_the_fields_stand_beside() -> None:
    error = InvalidBodyError("x", fields=(("a.b", "must be there"),))
    body = json.loads(error_response(error, Redactor(), more={"run_id": "r1"}).body)
    assert body["fields"] == [{"field": "a.b", "problem": "must be there"}]
    assert body["run_id"] == "r1"


def test_no_secret_is_in_any_part() -> None:
    redactor = Redactor()
    redactor.register("s3cr3t-value", "thing")
    error = NotFoundError("no s3cr3t-value", hint="not s3cr3t-value")
    answer = error_response(error, redactor, more={"run": {"text": "s3cr3t-value"}})
    assert b"s3cr3t" not in answer.body
    assert json.loads(answer.body)["error"] == "no [redacted:thing]"


def test_an_internal_error_says_nothing() -> None:
    body = json.loads(internal_response(Redactor(), "c1").body)
    assert body["code"] == "internal"
    assert body["correlation_id"] == "c1"
    assert error_body("e", "c", correlation_id="c2") == {"error": "e", "code": "c", "hint": "", "correlation_id": "c2"}


async def test_a_body_that_does_not_fit_is_400_and_names_each_field(site: Site) -> None:
    answer = await site.post(b'{"a": {"b": "1", "c": 2}, "text": 5}', "/v1/typed")
    assert answer.status == 400
    said = answer.json
    assert said["code"] == "invalid_body"
    assert {one["field"] for one in said["fields"]} == {"a.b", "a.c", "text"}
    assert said["correlation_id"] == answer.headers["x-request-id"]
    empty = await site.post(b"", "/v1/typed")
    assert (empty.status, empty.json["code"]) == (400, "invalid_body")


async def test_a_query_that_does_not_fit_names_its_parameter(site: Site) -> None:
    answer = await site.get("/v1/page?limit=many")
    assert answer.status == 400
    assert [one["field"] for one in answer.json["fields"]] == ["limit"]


async def test_very_many_wrong_fields_are_not_all_repeated(site: Site) -> None:
    body = json.dumps({"x" * 300 + str(number): 1 for number in range(200)}).encode()
    answer = await site.post(body, "/v1/typed")
    assert len(answer.json["fields"]) == 50
    assert max(len(one["field"]) for one in answer.json["fields"]) <= 200


async def test_what_is_not_there_and_what_is_not_done_there_have_the_one_shape(site: Site) -> None:
    missing = await site.get("/v1/nothing")
    assert (missing.status, missing.json["code"]) == (404, "not_found")
    wrong = await site.post(b"{}", "/v1/who")
    assert (wrong.status, wrong.json["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET"
    for answer in (missing, wrong):
        assert set(answer.json) == {"error", "code", "hint", "correlation_id"}


async def test_an_error_of_akili_keeps_its_words(site: Site) -> None:
    answer = await site.get("/v1/gone")
    assert answer.json["hint"] == "look elsewhere"
    assert (await site.get("/v1/storage")).status == 503
