from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from akili_cli.features.health.model import CheckResult, Readiness
from akili_cli.gateways.http.routes.health import health_router


def app_of(**checks: CheckResult) -> FastAPI:
    async def readiness() -> Readiness:
        return Readiness(checks)

    app = FastAPI()
    app.include_router(health_router(readiness))
    return app


async def get(app: FastAPI, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return await client.get(path)


async def test_a_node_that_can_work_says_so() -> None:
    answer = await get(app_of(database=CheckResult("ok")), "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"database": {"status": "ok"}}})
    assert answer.headers["cache-control"] == "no-store"


async def test_one_that_cannot_is_503_and_says_which_part() -> None:
    answer = await get(app_of(database=CheckResult("ok"), audit=CheckResult("fail", "the disk is full")), "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "degraded",
        "checks": {"database": {"status": "ok"}, "audit": {"status": "fail", "message": "the disk is full"}},
    }


@pytest.mark.parametrize("path", ["/healthz", "/v1/healthz"])
async def test_that_the_process_answers_depends_on_no_check(path: str) -> None:
    answer = await get(app_of(audit=CheckResult("fail", "x")), path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_its_answers_are_documented() -> None:
    paths = app_of().openapi()["paths"]
    assert set(paths) == {"/healthz", "/readyz", "/v1/healthz"}
    assert {"200", "503"} <= set(paths["/readyz"]["get"]["responses"])
