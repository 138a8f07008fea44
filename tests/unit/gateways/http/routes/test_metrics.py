from __future__ import annotations

import httpx
from fastapi import FastAPI

from akili_cli.adapters.telemetry.metrics import CONTENT_TYPE
from akili_cli.gateways.http.routes import metrics
from akili_cli.gateways.http.routes.metrics import metrics_router


async def test_the_page_is_where_the_settings_say_in_the_text_format() -> None:
    async def text() -> bytes:
        return b"akili_up 1\n"

    app = FastAPI()
    app.include_router(metrics_router("/internal/metrics", text))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.get("/internal/metrics")
        assert (answer.status_code, answer.text) == (200, "akili_up 1\n")
        assert answer.headers["content-type"] == CONTENT_TYPE == metrics.CONTENT_TYPE
        assert (await client.get("/metrics")).status_code == 404
    assert "/internal/metrics" not in app.openapi()["paths"]
