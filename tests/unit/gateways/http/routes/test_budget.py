from __future__ import annotations

from tests.fakes.http_app import Gateway


async def test_somebody_sees_their_own_day_and_not_the_organisations(gateway: Gateway) -> None:
    told = (await gateway.client_of("ann").get("/v1/budget")).json()
    assert (told["user"], told["spent_usd"], told["organisation"]) == ("ann", 0.0, None)
    assert told["remaining_usd"] == told["limit_usd"] > 0


async def test_an_admin_sees_anybodys_and_the_organisations(gateway: Gateway) -> None:
    told = (await gateway.client_of("root").get("/v1/budget?user=ann")).json()
    assert told["user"] == "ann"
    assert told["organisation"]["spent_usd"] == 0.0


async def test_nobody_else_sees_what_others_spent(gateway: Gateway) -> None:
    answer = await gateway.client_of("ann").get("/v1/budget?user=ben")
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
    assert (await gateway.client_of("ann").get("/v1/budget?user=")).status_code == 400
