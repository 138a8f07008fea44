from __future__ import annotations

import pytest

from akili_cli.domain.messages import Message, TextBlock
from tests.fakes.http_app import Gateway


async def began(gateway: Gateway, user: str, text: str) -> str:
    history = gateway.app.history
    assert history is not None
    conversation = await history.create(user)
    await history.append(conversation, user, (Message("user", (TextBlock(text),)),))
    return conversation


async def test_somebody_sees_their_own_alone_page_by_page(gateway: Gateway) -> None:
    ids = {await began(gateway, "ann", "one"), await began(gateway, "ann", "two")}
    await began(gateway, "ben", "theirs")
    ann = gateway.client_of("ann")
    first = await ann.get("/v1/conversations?limit=1")
    rest = await ann.get(f"/v1/conversations?cursor={first.headers['X-Next-Cursor']}")
    found = [*first.json(), *rest.json()]
    assert {one["id"] for one in found} == ids
    assert {(one["user_id"], one["messages"]) for one in found} == {("ann", 1)}


async def test_a_conversation_is_shown_with_its_messages(gateway: Gateway) -> None:
    conversation = await began(gateway, "ann", "what is wrong?")
    told = (await gateway.client_of("ann").get(f"/v1/conversations/{conversation}")).json()
    assert told["conversation"]["title"] == "what is wrong?"
    assert [(one["role"], one["content"]) for one in told["messages"]] == [("user", "what is wrong?")]


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_what_is_not_ones_own_is_not_there_not_even_for_an_admin(gateway: Gateway, verb: str) -> None:
    conversation = await began(gateway, "ann", "mine")
    for user, wanted in (("ben", conversation), ("root", conversation), ("ann", "x"), ("ann", "0" * 36)):
        answer = await gateway.client_of(user).request(verb, f"/v1/conversations/{wanted}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await gateway.client_of("ann").get(f"/v1/conversations/{conversation}")).status_code == 200


async def test_what_is_deleted_is_gone_and_on_record(gateway: Gateway) -> None:
    conversation = await began(gateway, "ann", "mine")
    ann = gateway.client_of("ann")
    answer = await ann.delete(f"/v1/conversations/{conversation}")
    assert answer.json() == {"id": conversation, "status": "deleted"}
    assert (await ann.get(f"/v1/conversations/{conversation}")).status_code == 404
    records = (await ann.get("/v1/audit?tool=conversations.delete")).json()
    assert [one["parameters"] for one in records] == [{"conversation": conversation}]


async def test_while_a_message_is_being_answered_it_stays(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    asked = (await ann.post("/v1/query", json={"message": "Is this host healthy?"})).json()
    conversation = asked["conversation_id"]
    sql = "UPDATE fires SET status = 'running', finished_at = NULL WHERE kind = 'query'"
    await gateway.app.state.db.write(lambda conn: conn.execute(sql, {}))
    answer = await ann.delete(f"/v1/conversations/{conversation}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await ann.get(f"/v1/conversations/{conversation}")).status_code == 200
