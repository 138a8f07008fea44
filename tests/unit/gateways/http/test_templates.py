from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI

from akili_cli.gateways.http.routes import ROUTERS
from akili_cli.gateways.http.templates import UNMATCHED, Templates


def app() -> FastAPI:
    router = APIRouter()

    @router.get("/v1/runs/{run_id}")
    async def run(run_id: str) -> str:
        return run_id

    @router.get("/v1/runs/newest")
    async def newest() -> str:
        return ""

    made = FastAPI(docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    made.include_router(router)
    return made


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/runs/abc", "/v1/runs/{run_id}"),
        ("/v1/runs/newest", "/v1/runs/newest"),
        ("/openapi.json", "/openapi.json"),
        ("/v1/runs/abc/x", UNMATCHED),
        ("/v1/runs", UNMATCHED),
        ("/wp-login.php", UNMATCHED),
        ("/v1/runs/{run_id}", "/v1/runs/{run_id}"),
    ],
)
def test_a_path_is_named_by_its_route(path: str, template: str) -> None:
    assert Templates(app().routes).of(path) == template


def test_every_route_of_the_gateway_is_known() -> None:
    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for router in ROUTERS:
        made.include_router(router)
    templates = Templates(made.routes)
    for router in ROUTERS:
        for route in router.routes:
            path = route.path  # type: ignore[attr-defined] # all of ours have one
            assert templates.of(path.replace("{", "").replace("}", "")) != UNMATCHED, path
