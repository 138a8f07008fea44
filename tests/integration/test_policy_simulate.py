from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import BASE, ROLE, Akili

WRITE = Call("file_write", {"path": "note.txt", "content": "hello"}, id="call-w")
FREE = {**ROLE, "permissions": [*ROLE["permissions"], "autonomous"]}
PLAIN = {**ROLE, "require_approval": []}
WATCHED = {
    "rules": [
        {"id": "no-medium", "match": {"tools": ["shell_exec"], "min_risk": "medium"}, "verdict": "deny", "because": "x"}
    ]
}


def security(role: dict[str, Any]) -> dict[str, Any]:
    return {"security": {"roles": {"operator": role}, "default_role": "operator"}}


def simulated(akili: Akili, candidate: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    options: tuple[str, ...] = ()
    if candidate is not None:
        path = akili.home / "candidate.json"
        path.write_text(json.dumps({**BASE, **candidate}))
        options = ("--config", str(path))
    return akili.json("policy", "simulate", "--against", "latest", *options)


@pytest.mark.parametrize(
    ("flags", "role", "before", "candidate", "after", "wider"),
    [
        (("--read-only",), ROLE, "deny", PLAIN, "deny", False),
        (("--plan",), ROLE, "ask", PLAIN, "allow", True),
        ((), ROLE, "ask", PLAIN, "allow", True),
        ((), ROLE, "ask", FREE, "ask", False),
        (("--autonomous",), FREE, "allow", ROLE, "ask", False),
        (("--autonomous",), ROLE, "ask", FREE, "allow", True),
    ],
    ids=["read-only", "plan", "plain", "plain, autonomy given", "autonomy taken", "autonomy given"],
)
def test_a_run_is_decided_again_in_its_own_mode(
    flags: tuple[str, ...],
    role: dict[str, Any],
    before: str,
    candidate: dict[str, Any],
    after: str,
    wider: bool,
    akili: Akili,
) -> None:
    with ModelServer([Reply(tool_calls=[WRITE]), Reply(text="so be it")]) as server:
        akili.configure(model_url=server.url, **security(role))
        akili.json("query", "-m", "write it", *flags)
    code, same = simulated(akili)
    assert (code, same["decided"], same["changed"], same["doubtful"]) == (0, 1, [], [])
    code, other = simulated(akili, security(candidate))
    assert (code, other["wider"]) == (int(wider), int(wider))
    assert [(one["before"], one["after"]) for one in other["changed"]] == ([(before, after)] if before != after else [])


def test_outside_text_counts_again(akili: Akili) -> None:
    akili.configure(policies=WATCHED)
    akili.json("query", "-m", "Is this host healthy?", stdin=b"text from outside")
    code, same = simulated(akili)
    assert (code, same["changed"], same["doubtful"]) == (0, [], [])
    assert same["decided"] > 0
    code, other = simulated(akili, {})
    assert (code, other["wider"]) == (1, same["decided"])
    assert {(one["before"], one["after"], one["rule_before"].partition("@")[0]) for one in other["changed"]} == {
        ("deny", "allow", "no-medium")
    }
