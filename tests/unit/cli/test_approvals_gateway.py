from __future__ import annotations

from collections.abc import Mapping

import pytest

from akili_cli.cli import approvals as module
from akili_cli.core.approvals.plans import PREFIX
from tests.fakes.gateway_server import CARD, Played, answer, gateway_thread
from tests.unit.cli.conftest import Said, Say

LIST = "GET /v1/approvals?status=pending&limit=200"
ALL = "GET /v1/approvals?limit=200"
ONE = f"/v1/approvals/{CARD['id']}"
DONE = {"approval_id": CARD["id"], "status": "approved", "run_id": "r", "output": "disk is fine", "success": True}
PLAN = {
    "id": "plan-1",
    "hash": "h",
    "status": "pending",
    "expires_at": 4e9,
    "cost_usd": 0.0,
    "steps": [
        {
            "step": 1,
            "tool": "file_write",
            "risk": "medium",
            "reversible": True,
            "cost_usd": 0,
            "status": "pending",
            "effects": {"writes": ["/x"]},
            "arguments": {"path": "/x", "content": "y"},
            "untrusted": [],
            "host": "web1",
            "cwd": "/srv",
            "rule": "r",
            "origin": "o",
            "because": "b",
        }
    ],
}


def said(akili: Say, routes: Mapping[str, Played], *arguments: str) -> tuple[Said, list[tuple[str, str]]]:
    with gateway_thread(routes) as server:
        told = akili("approvals", *arguments, "--gateway-url", server.url, "--api-key", "key")
        sent = [(f"{one.method} {one.path}", one.body.decode()) for one in server.requests]
    return told, sent


def test_what_waits_is_listed_as_here(akili: Say) -> None:
    told, _ = said(akili, {LIST: answer([CARD])}, "list")
    assert told.code == 0
    assert told.out.splitlines()[0].split() == ["ID", "STATUS", "RISK", "TOOL", "USER", "WHAT"]
    assert told.out.splitlines()[1].split() == ["1a2b3c4d", "pending", "high", "shell_exec", "ada", "df", "-h"]
    assert said(akili, {LIST: answer([])}, "list")[0].err == "nothing waits for approval\n"
    assert said(akili, {ALL: answer([CARD])}, "list", "--all", "--json")[0].json == [CARD]


def test_a_card_is_shown_whole_by_the_beginning_of_its_id(akili: Say) -> None:
    told, _ = said(akili, {ALL: answer([CARD])}, "show", "1a2b")
    assert "sandbox    landlock" in told.out
    assert "command:\n    | df -h" in told.out
    assert "akili approvals approve 1a2b3c4d runs exactly this" in told.err


def test_an_approval_is_shown_given_and_told(akili: Say) -> None:
    told, sent = said(akili, {f"GET {ONE}": answer(CARD), f"POST {ONE}/approve": answer(DONE)}, "approve", CARD["id"])
    assert (told.code, told.out) == (0, "disk is fine\n")
    assert "| df -h" in told.err
    assert "approved 1a2b3c4d: shell_exec: ok" in told.err
    assert sent[1] == (f"POST {ONE}/approve", "{}")


def test_a_changed_call_travels_with_its_change(akili: Say) -> None:
    routes = {f"GET {ONE}": answer(CARD), f"POST {ONE}/approve": answer(DONE)}
    told, sent = said(akili, routes, "approve", CARD["id"], "--set", "command=df -i", "--json")
    assert told.json == DONE
    assert sent[1][1] == '{"arguments": {"command": "df -i"}}'


@pytest.mark.parametrize(
    ("played", "code", "word"),
    [
        (answer({**DONE, "status": "pending", "success": None, "output": None}, 202), 2, "one more must approve"),
        (answer({**DONE, "success": None, "output": None}), 0, "its run goes on"),
        (answer({"error": "not yours", "code": "refused"}, 403), 2, "not yours"),
        (answer({"error": "already used", "code": "conflict"}, 409), 1, "already used"),
        (answer({"error": "it expired", "code": "expired"}, 410), 1, "it expired"),
        (answer({"error": "df failed", "code": "tool_failed"}, 500), 1, "df failed"),
        (answer({}), 1, "something else than was asked for"),
    ],
    ids=["pending", "going on", "refused", "used", "expired", "failed", "nonsense"],
)
def test_what_came_of_an_approval_is_the_exit_code(akili: Say, played: Played, code: int, word: str) -> None:
    told, _ = said(akili, {f"GET {ONE}": answer(CARD), f"POST {ONE}/approve": played}, "approve", CARD["id"])
    assert told.code == code
    assert word in told.err


def test_a_denial_travels_with_its_words(akili: Say) -> None:
    denied = answer({"approval_id": CARD["id"], "status": "denied"})
    routes = {ALL: answer([CARD]), f"POST {ONE}/deny": denied}
    told, sent = said(akili, routes, "deny", "1a2b3c4d", "-m", "use the wiki")
    assert (told.code, told.err) == (0, "denied 1a2b3c4d: shell_exec; nothing was run\n")
    assert sent[1] == (f"POST {ONE}/deny", '{"feedback": "use the wiki"}')


def test_a_plan_is_shown_applied_in_part_and_denied(akili: Say) -> None:
    done = {"plan": "plan-1", "success": True, "steps": [{**PLAN["steps"][0], "status": "ok", "output": "written"}]}  # type: ignore[index] # a list
    routes = {
        "GET /v1/plans/plan-1": answer(PLAN),
        "POST /v1/plans/plan-1/apply": answer(done),
        "POST /v1/plans/plan-1/deny": answer(PLAN),
    }
    assert "file_write" in said(akili, routes, "show", "plan-1")[0].out
    told, sent = said(akili, routes, "approve", "plan-1", "--only", "1")
    assert (told.code, told.out) == (0, "written\n")
    assert "step 1: file_write: ok" in told.err
    assert sent[1] == ("POST /v1/plans/plan-1/apply", '{"only": [1]}')
    assert said(akili, routes, "deny", "plan-1")[0].err == "denied plan-1; nothing was run\n"
    assert said(akili, routes, "deny", "plan-1", "--json")[0].json == {"plan": "plan-1", "status": "denied"}


@pytest.mark.parametrize(
    ("typed", "code", "word"),
    [("1a", 64, "too short"), ("ffff", 1, "no approval 'ffff'"), ("1a2b", 1, "beginning of 2 approvals")],
)
def test_an_id_that_names_none_or_several_is_refused(akili: Say, typed: str, code: int, word: str) -> None:
    other = {**CARD, "id": "1a2bffff" * 4}
    told, sent = said(akili, {ALL: answer([CARD, other])}, "approve", typed)
    assert told.code == code
    assert word in told.err
    assert all(what.startswith("GET") for what, _ in sent)


def test_a_plan_is_told_from_a_call_as_the_core_names_them() -> None:
    assert module.PLAN == PREFIX
