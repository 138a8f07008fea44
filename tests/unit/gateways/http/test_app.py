from __future__ import annotations

from fastapi import APIRouter

from akili_cli.gateways.http.app import create_app
from tests.fakes.http_app import Gateway


async def test_routes_are_those_of_every_noun_and_those_given_beside_them(gateway: Gateway) -> None:
    more = APIRouter()

    @more.get("/more")
    async def more_() -> int:
        return 1

    app = create_app(gateway.desk, more=[more])
    told = app.openapi()["paths"]
    assert {"/v1/query", "/v1/query/stream", "/v1/runs/{run_id}/events", "/more"} <= set(told)
    assert app.state.desk is gateway.desk


async def test_every_operation_has_a_name_of_its_own(gateway: Gateway) -> None:
    names = [one["operationId"] for path in gateway.api.openapi()["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
