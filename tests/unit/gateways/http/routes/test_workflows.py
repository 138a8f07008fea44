from __future__ import annotations

from tests.fakes.http_app import Gateway


async def test_the_place_is_there_and_says_that_the_thing_is_not(gateway: Gateway) -> None:
    ways = (("POST", ""), ("GET", "/some-id"), ("POST", "/some-id/cancel"), ("GET", "/some-id/tasks"))
    for verb, path in ways:
        answer = await gateway.client_of("ann").request(verb, f"/v1/workflows{path}")
        assert (answer.status_code, answer.json()["code"]) == (501, "not_available")
        assert "POST /v1/query" in answer.json()["hint"]
