from __future__ import annotations

from starlette.requests import Request

from akili_cli.gateways.http.desk import desk_of
from tests.fakes.http_app import Gateway


async def test_a_request_leads_to_what_its_application_works_with(gateway: Gateway) -> None:
    assert desk_of(Request({"type": "http", "app": gateway.api})) is gateway.desk
