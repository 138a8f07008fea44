from __future__ import annotations

from tests.fakes.http_app import Gateway


async def explained(gateway: Gateway, asker: str, **question: object) -> dict[str, object]:
    answer = await gateway.client_of(asker).post("/v1/policy/explain", json=question)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


async def test_a_decision_is_explained_for_the_caller_over_http(gateway: Gateway) -> None:
    told = await explained(gateway, "vic", command="systemctl restart nginx")
    assert (told["user"], told["role"], told["source"], told["verdict"]) == ("vic", "viewer", "http", "deny")
    assert {"effects", "rules", "changes", "smallest_allow", "risk_reasons"} <= set(told)


async def test_a_tool_with_arguments_and_circumstances_is_explained(gateway: Gateway) -> None:
    read = {"tool": "file_read", "arguments": {"path": "/nowhere"}}
    assert (await explained(gateway, "ann", **read, untrusted=["web x"]))["untrusted"] == ["web x"]
    assert (await explained(gateway, "ann", command="rm -r /srv", read_only=True))["read_only"] is True


async def test_an_admin_asks_about_others_and_nobody_else_does(gateway: Gateway) -> None:
    assert (await explained(gateway, "root", command="id", user="vic"))["role"] == "viewer"
    answer = await gateway.client_of("ann").post("/v1/policy/explain", json={"command": "id", "user": "vic"})
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")


WRONG: list[dict[str, object]] = [
    {},
    {"tool": "file_read", "command": "id"},
    {"command": "id", "arguments": {"x": 1}},
    {"tool": "nosuch"},
    {"tool": "file_read", "arguments": {"path": 7}},
    {"command": ""},
    {"command": "id", "force": True},
]


async def test_what_is_no_question_is_refused(gateway: Gateway) -> None:
    for question in WRONG:
        answer = await gateway.client_of("ann").post("/v1/policy/explain", json=question)
        assert answer.status_code == 400, question


async def test_nothing_runs_and_nothing_is_recorded(gateway: Gateway) -> None:
    await explained(gateway, "ann", command="touch /tmp/akili-explained")
    found = (await gateway.client_of("root").get("/v1/audit?tool=shell_exec")).json()
    assert found == []
