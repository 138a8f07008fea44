"""Every reading command against recorded answers: the same tables as here, and errors in words for nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.gateway_server import CARD, Played, answer, gateway_thread
from tests.integration.akili import Akili

JOB = {
    "id": "a1b2c3d4-0000",
    "name": "nightly",
    "cron_expression": "0 3 * * *",
    "enabled": True,
    "next_run_at": "2026-02-18T03:00:00.000Z",
    "last_run_at": "2026-02-17T03:00:00.000Z",
    "last_error": "",
    "user_id": "ada",
}
CRON_RUN = {
    "id": "f1",
    "cronjob_id": JOB["id"],
    "due_at": "2026-02-17T03:00:00.000Z",
    "status": "ok",
    "user_id": "ada",
    "error": "",
    "summary": "all well",
    "started_at": "2026-02-17T03:00:00.000Z",
    "finished_at": "2026-02-17T03:00:02.500Z",
}
RULE = {
    "id": "b1b2c3d4-0000",
    "name": "web",
    "target": "https://example.com",
    "check_type": "http_status",
    "channels": ["ops"],
    "channel_ids": ["ch-1"],
    "user_id": "ada",
    "enabled": True,
    "last_status": "ok",
    "flapping": False,
    "last_checked_at": "2026-02-17T03:00:00.000Z",
    "next_run_at": "2026-02-18T03:00:00.000Z",
    "muted_until": "2999-02-18T03:00:00.000Z",
}
CHECK = {
    "id": "c1",
    "found": "alert",
    "status": "alert",
    "message": "it answered 500",
    "announced": "alert",
    "notified_via": ["ch-1", "ch-gone"],
    "created_at": "2026-02-17T03:00:00.000Z",
}
TASK = {
    "id": "d1b2c3d4",
    "group": "ops",
    "name": "disks",
    "cron_expression": "*/5 * * * *",
    "mode": "quick",
    "enabled": True,
    "next_run_at": "2026-02-18T03:00:00.000Z",
    "last_status": "ok",
    "user_id": "ada",
}
RESULT = {
    "group": "ops",
    "name": "disks",
    "status": "ok",
    "error": "",
    "summary": "fine",
    "duration_s": 1.5,
    "ended_at": "2026-02-17T03:00:00.000Z",
}
RECORD = {"id": "s-1", "at": 1.0, "user": "ada", "tool": "shell_exec", "result": "success", "rule": "r@o"}
LEVEL = {
    "name": "org",
    "limit_usd": None,
    "spent_usd": 1.0,
    "reserved_usd": 0.0,
    "remaining_usd": None,
    "max_tokens": 9,
    "parent": None,
    "spent_tokens": 5,
    "reserved_tokens": 0,
}
DAY = {**LEVEL, "user": "ada", "day": "2026-02-17", "limit_usd": 10.0, "remaining_usd": 9.0, "runs": [LEVEL]}
EXPLAINED = {
    "tool": "shell_exec",
    "user": "ada",
    "role": None,
    "agent": None,
    "source": "http",
    "skill": None,
    "autonomous": False,
    "read_only": True,
    "untrusted": ["web"],
    "verdict": "deny",
    "risk": "high",
    "risk_reasons": ["shell_exec starts at high"],
    "effects": {"commands": [["rm", "a b"]], "deletes": ["/a b"], "reversible": False},
    "rules": [{"id": "default-deny", "verdict": "deny", "origin": "built-in", "because": "no rule allows it"}],
    "changes": [{"condition": "as admin", "verdict": "allow", "rule": "x"}],
    "smallest_allow": None,
}
CHANNEL = {"name": "ops", "channel_type": "slack", "enabled": False, "user_id": "ada", "config": {"b": 2, "a": 1}}
UNDO = {"id": "u", "at": 1.0, "state": "kept", "tool": "file_write", "undo_of": None, "path": "/x", "obstacle": ""}
BOOK = {"name": "disk", "category": "c", "role": "r", "risk": "low", "steps": 2, "description": "Disks"}

PAGE = "?limit=200"
CASES: dict[tuple[str, ...], tuple[dict[str, Any], list[str]]] = {
    ("cron", "list"): (
        {f"GET /v1/cronjobs{PAGE}": [JOB]},
        ["nightly 0 3 * * * 2026-02-18T03:00 2026-02-17T03:00 ok ada"],
    ),
    ("cron", "show", "nightly"): ({"GET /v1/cronjobs?name=nightly&limit=2": [JOB]}, ["name nightly"]),
    ("cron", "history", "a1b2"): (
        {
            "GET /v1/cronjobs?name=a1b2&limit=2": [],
            f"GET /v1/cronjobs{PAGE}": [JOB],
            "GET /v1/cronjobs/a1b2c3d4-0000/history?limit=20": [CRON_RUN],
        },
        ["2026-02-17T03:00:00.000Z nightly ok 2.5 all well"],
    ),
    ("alerts", "list"): (
        {f"GET /v1/alerts{PAGE}": [RULE, {**RULE, "flapping": True, "muted_until": "2001-01-01T00:00:00.000Z"}]},
        [
            "web ok, muted http_status https://example.com 2026-02-18T03:00 ada",
            "web flapping http_status https://example.com 2026-02-18T03:00 ada",
        ],
    ),
    ("alerts", "show", "web"): ({"GET /v1/alerts?name=web&limit=2": [RULE]}, ["name web"]),
    ("alerts", "history", "web"): (
        {"GET /v1/alerts?name=web&limit=2": [RULE], "GET /v1/alerts/b1b2c3d4-0000/history?limit=50": [CHECK]},
        ["2026-02-17T03:00:00 web alert alert alert to ops, ch-gone it answered 500"],
    ),
    ("channels", "list"): ({f"GET /v1/notification-channels{PAGE}": [CHANNEL]}, ["ops slack off ada a=1 b=2"]),
    ("heartbeats", "list"): (
        {"GET /v1/heartbeats": [TASK]},
        ["ops/disks */5 * * * * quick 2026-02-18T03:00 - ok ada"],
    ),
    ("heartbeats", "show", "ops/disks"): ({"GET /v1/heartbeats": [TASK]}, ["name disks"]),
    ("heartbeats", "history", "d1b2"): (
        {"GET /v1/heartbeats": [TASK], "GET /v1/heartbeats/d1b2c3d4/history?limit=20": [RESULT]},
        ["2026-02-17T03:00:00.000Z ops/disks ok 1.5 fine"],
    ),
    ("audit", "tail", "-n", "2", "--user", "ada"): (
        {"GET /v1/audit?user=ada&limit=2": [{**RECORD, "id": "s-2"}, RECORD]},
        [f"1970-01-01T00:00:01.000Z ada shell_exec success r@o {one}" for one in ("s-1", "s-2")],
    ),
    ("audit", "search", "a b", "--since", "2h", "--run", "r"): (
        {"GET /v1/audit?text=a+b&run_id=r&since=2h&limit=50": [RECORD]},
        ["1970-01-01T00:00:01.000Z ada shell_exec success r@o s-1"],
    ),
    ("budget",): (
        {"GET /v1/budget": {**DAY, "organisation": None}},
        ["user $10.00 $1.0000 $0.0000 $9.0000 5 ada", "run - $1.0000 $0.0000 - 5/9 org"],
    ),
    ("budget", "--user", "ada"): (
        {"GET /v1/budget?user=ada": {**DAY, "organisation": LEVEL}},
        ["organisation - $1.0000 $0.0000 - 5/9 org"],
    ),
    ("runbooks", "list"): ({"GET /v1/runbooks": [BOOK]}, ["disk c r low 2 Disks"]),
    ("runbooks", "show", "a/b"): ({"GET /v1/runbooks/a%2Fb": {"name": "a/b", "body": "# Disks"}}, ["# Disks"]),
    ("policy", "explain", "--", "rm", "a b"): (
        {"POST /v1/policy/explain": EXPLAINED},
        [
            "deny",
            "for: ada (no role), from http, read-only, after web",
            "does: deletes /a b; runs rm 'a b'; cannot be undone",
            "deny default-deny (built-in): no rule allows it",
            "as admin: allow (by x)",
            "no allow rule can allow it: its effects cannot be known or named",
        ],
    ),
    ("undo", "--list"): ({"GET /v1/undo?limit=50": [UNDO]}, ["u 1970-01-01T00:00:01.000Z kept file_write - /x"]),
    ("approvals", "list"): (
        {"GET /v1/approvals?status=pending&limit=200": [CARD]},
        ["1a2b3c4d pending high shell_exec ada df -h"],
    ),
}


def told(akili: Akili, routes: dict[str, Played], *arguments: str) -> tuple[int, str, str]:
    with gateway_thread(routes) as server:
        env = {"AKILI_GATEWAY_URL": server.url, "AKILI_API_KEY": "key-of-ada"}
        done = akili.run(*arguments, env=env)
    assert not akili.workspace.exists(), "it worked on this machine"
    assert b"bug" not in done.stderr
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_what_a_gateway_tells_is_shown_in_the_tables_of_this_machine(akili: Akili, arguments: tuple[str, ...]) -> None:
    routes, lines = CASES[arguments]
    code, out, err = told(akili, {path: answer(body) for path, body in routes.items()}, *arguments)
    assert code == 0, err
    shown = [" ".join(line.split()) for line in out.splitlines()]
    for line in lines:
        assert line in shown, shown


@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_json_is_what_the_gateway_told(akili: Akili, arguments: tuple[str, ...]) -> None:
    routes, _ = CASES[arguments]
    options = list(arguments)
    options.insert(options.index("--") if "--" in options else len(options), "--json")
    code, out, err = told(akili, {path: answer(body) for path, body in routes.items()}, *options)
    assert code == 0, err
    for line in out.splitlines():
        json.loads(line)


@pytest.mark.parametrize("nonsense", [[{}], [{"id": 5, "name": [], "at": "x"}], {"a": 1}, "text"], ids=str)
@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_nonsense_is_an_error_in_words(akili: Akili, arguments: tuple[str, ...], nonsense: object) -> None:
    routes, _ = CASES[arguments]
    code, _, err = told(akili, dict.fromkeys(routes, answer(nonsense)), *arguments)
    if not (code == 0 and arguments[1:2] == ("show",)):  # whatever there is, is shown
        assert code == 1, err
        assert "fatal: " in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("cron", "history"), "name a job"),
        (("alerts", "history"), "name a rule"),
        (("heartbeats", "history"), "name a task"),
        (("undo",), "this machine only"),
        (("undo", "abcd"), "this machine only"),
        (("cron", "rm", "nightly"), "nothing was done"),
        (("policy", "explain", "--source", "cli", "--", "id"), "calls of this machine"),
        (("policy", "explain", "--audit", "x"), "calls of this machine"),
    ],
    ids=str,
)
def test_what_a_gateway_cannot_tell_is_refused_before_anything_is_asked(
    akili: Akili, arguments: tuple[str, ...], word: str
) -> None:
    code, out, err = told(akili, {"GET /": answer({})}, *arguments)
    assert (code, out) == (64, "")
    assert word in err


@pytest.mark.parametrize(("names", "code"), [([], 1), ([JOB, JOB], 1)])
def test_a_name_that_is_none_or_several_is_refused(akili: Akili, names: list[object], code: int) -> None:
    routes: dict[str, Played] = {
        "GET /v1/cronjobs?name=nightly&limit=2": answer(names),
        f"GET /v1/cronjobs{PAGE}": answer([]),
    }
    assert told(akili, routes, "cron", "show", "nightly")[0] == code


def test_a_long_list_is_read_page_by_page(akili: Akili) -> None:
    first = [{**RECORD, "id": f"s-{n}"} for n in range(200)]
    routes: dict[str, Played] = {
        "GET /v1/audit?limit=200": answer(first, X_Next_Cursor="c1"),
        "GET /v1/audit?limit=50&cursor=c1": answer(first[:50], X_Next_Cursor="c2"),
    }
    code, out, _ = told(akili, routes, "audit", "tail", "-n", "250", "--json")
    assert (code, len(out.splitlines())) == (0, 250)
