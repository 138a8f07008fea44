"""Every command on both databases; two organisations in one; a server that goes away in the middle."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_server import Call, ModelServer, Reply
from tests.fakes.postgres_server import any_server, end_connections, own_database, own_server
from tests.integration.akili import Akili, only

pytestmark = pytest.mark.timeout(240)  # a test here starts many processes

HELD = Call("file_write", {"path": "note.txt", "content": "hello"})
SLOW = Call("shell_exec", {"command": "sleep 3"})
ANSWER = Reply(text="done", repeat=True)
SECRET = "sekret-pa55word"


RUNBOOK = """---
name: Own
agent_role: executor
category: operations
tools_required: [shell_exec]
risk_level: low
default_budget: 0.1
description: Look at the {word}.
---

# Own

## Purpose

Look at the {word}.

## Steps

Look at the {word}.
"""


class Placed(Akili):
    """A workspace whose state is where ``dsn`` says; without one, in its own file."""

    def __init__(self, directory: Path, dsn: str = "", org: str = "default") -> None:
        super().__init__(directory)
        self.dsn = dsn
        self.org = org

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**({"AKILI_DB_DSN": self.dsn} if self.dsn else {}), **more)

    def configure(self, *, model_url: str = "", price: Mapping[str, Any] | None = None, **sections: Any) -> None:
        if self.dsn:
            sections["storage"] = {"driver": "postgres", "postgres": {"default_org_name": self.org}}
        super().configure(model_url=model_url, price=price, **sections)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    with any_server() as dsn:
        yield dsn


@pytest.fixture
def dsn(postgres_dsn: str) -> Iterator[str]:
    with own_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture(params=["sqlite", "postgres"])
def placed(request: pytest.FixtureRequest, tmp_path: Path) -> Placed:
    return Placed(tmp_path, request.getfixturevalue("dsn") if request.param == "postgres" else "")


def ok(akili: Akili, *arguments: str, code: int = 0, **options: Any) -> str:
    done = akili.run(*arguments, **options)
    assert done.returncode == code, (arguments, done)
    return done.stdout.decode()


def as_json(akili: Akili, *arguments: str) -> Any:
    return json.loads(ok(akili, *arguments, "--json"))


def test_an_approval_a_file_and_its_undo_go_the_same_way_on_both(placed: Placed) -> None:
    with ModelServer([Reply(tool_calls=[HELD]), ANSWER]) as server:
        placed.configure(model_url=server.url)
        code, report = placed.json("query", "-m", "write it")
        assert (code, report["status"]) == (2, "approval_required")
        approval = only(report["approvals"])["id"]
        assert only(as_json(placed, "approvals", "list"))["id"] == approval
        assert as_json(placed, "approvals", "show", approval[:8])["status"] == "pending"
        ok(placed, "approvals", "approve", approval[:8])
        assert (placed.work / "note.txt").read_text() == "hello"
        again = placed.run("approvals", "approve", approval[:8])
        assert again.returncode == 1
        entry = only(as_json(placed, "undo", "--list"))
        assert entry["path"].endswith("note.txt")
        assert placed.run("undo").returncode == 2  # writing asks here
        ok(placed, "approvals", "approve", as_json(placed, "approvals", "list")[0]["id"])
        assert not (placed.work / "note.txt").exists()
        code, report = placed.json("query", "-m", "and now?", "--continue")
        assert (code, report["answer"]) == (0, "done")
    assert as_json(placed, "audit", "verify")["ok"]
    assert "file_write" in ok(placed, "audit", "search", "--tool", "file_write", "--json")


def test_every_reading_command_works_on_both(placed: Placed, tmp_path: Path) -> None:
    placed.configure()
    ok(placed, "query", "-m", "Is this host healthy?")
    ok(placed, "runbooks", "run", "service-health-check")
    for line in (
        "runbooks list --json",
        "approvals list",
        "grants list --json",
        "budget --json",
        "audit tail -n 5 --json",
        "audit anchor",
        "policy lint",
        "policy explain shell_exec command=ls",
        "policy simulate --against 24h",
        "secrets list --json",
        "secrets check",
        "config show --json",
        "config check",
        "db tables --json",
        "db schema approvals --json",
        "db search disk --json",
        "db export conversations",
        "db export audit_streams --format json",
        "db migrate",
        "db prune --older-than 90d --dry-run --json",
        "db prune --older-than 90d --json",
        "undo --list",
        "version",
    ):
        done = placed.run(*line.split())
        assert done.returncode == 0, (line, done)
    ok(placed, "audit", "export", "-o", str(tmp_path / "bundle"))
    assert as_json(placed, "db", "query", "SELECT count(*) AS n FROM conversations") == [{"n": 1}]
    assert placed.run("db", "query", "DELETE FROM conversations").returncode == 1
    assert as_json(placed, "db", "search", "disk full")
    database = only([c for c in as_json_doctor(placed)["checks"] if c["area"] == "database"])
    assert database["name"] == ("postgres" if placed.dsn else "sqlite")
    assert "version " in database["detail"]
    assert "schema step" in database["detail"]
    assert as_json(placed, "audit", "verify")["ok"]


def as_json_doctor(akili: Akili) -> Any:
    return json.loads(akili.run("doctor", "--json").stdout)


@pytest.fixture
def pair(dsn: str, tmp_path: Path) -> tuple[Placed, Placed]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return Placed(tmp_path / "a", dsn, "Acme Corp"), Placed(tmp_path / "b", dsn, "Other")


def test_nothing_of_another_organisation_is_seen_or_changed(pair: tuple[Placed, Placed]) -> None:
    acme, other = pair
    with ModelServer([Reply(tool_calls=[HELD]), ANSWER]) as server:
        acme.configure(model_url=server.url)
        other.configure(model_url=server.url)
        _, report = acme.json("query", "-m", "write it")
        approval, conversation = only(report["approvals"])["id"], report["conversation_id"]
        assert ok(other, "approvals", "list") == ""
        for verb in ("show", "approve", "deny"):
            assert other.run("approvals", verb, approval).returncode == 1
        assert other.run("query", "-m", "x", "--conversation-id", conversation).returncode == 1
        assert b"no conversation" in other.run("query", "-m", "x", "--continue").stderr
        ok(acme, "approvals", "approve", approval)
    assert as_json(other, "approvals", "list") == []
    assert as_json(other, "undo", "--list") == []
    assert other.run("undo", as_json(acme, "undo", "--list")[0]["id"]).returncode == 1
    assert as_json(other, "grants", "list") == []
    assert as_json(other, "budget")["spent_usd"] == 0
    assert "file_write" not in ok(other, "audit", "tail", "-n", "1000", "--json")
    assert "file_write" not in ok(other, "audit", "search", "--tool", "file_write", "--json")
    for table in ("approvals", "audit_events", "undo_entries", "conversation_messages", "organizations"):
        assert "acme" not in ok(other, "db", "export", table, "--format", "json")
    mine, theirs = ({row["table"]: row["rows"] for row in as_json(one, "db", "tables")} for one in (acme, other))
    assert (mine["approvals"], theirs["approvals"]) == (1, 0)
    assert mine["audit_streams"] > 0
    ok(other, "db", "prune", "--older-than", "1d")
    for one in pair:
        assert as_json(one, "audit", "verify")["problems"] == []
        assert one.run("audit", "anchor").returncode == 0
    names = {row["name"] for row in as_json(acme, "db", "query", "SELECT name FROM organizations")}
    assert names == {"Acme Corp", "Other"}


def test_a_node_with_an_audit_key_of_its_own_does_not_start(dsn: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = Placed(tmp_path / "a", dsn), Placed(tmp_path / "b", dsn)
    for one in (first, second):
        one.configure()
    ok(first, "query", "-m", "Is this host healthy?")
    refused = second.run("query", "-m", "Is this host healthy?")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"kept with another key" in refused.stderr
    assert b"hint: copy audit.key" in refused.stderr
    shutil.copy(first.workspace / "audit.key", second.workspace / "audit.key")
    ok(second, "query", "-m", "Is this host healthy?")


def test_each_organisation_finds_its_own_runbooks(pair: tuple[Placed, Placed]) -> None:
    acme, other = pair
    for one, word in ((acme, "zebra"), (other, "giraffe")):
        one.configure()
        own = one.workspace / "runbooks"
        own.mkdir(mode=0o700)
        (own / "own.md").write_text(RUNBOOK.format(word=word))
        ok(one, "db", "search", word)
    assert as_json(acme, "db", "search", "giraffe") == []
    assert only(as_json(acme, "db", "search", "zebra"))["path"].startswith(str(acme.home))


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/x",
        f"postgresql://ann:{SECRET}@127.0.0.1:notaport/x",
        f"postgresql://ann:{SECRET}@/x?host=/{SECRET}/none",
        f"mysql://ann:{SECRET}@127.0.0.1/x",
        f"env://{'NOT_SET'}",
    ],
    ids=["refused", "port", "socket", "scheme", "reference"],
)
@pytest.mark.parametrize("command", [("budget",), ("query", "-m", "x"), ("db", "migrate")], ids=lambda c: c[0])
def test_a_dsn_that_leads_nowhere_is_one_error_with_a_hint(akili: Akili, dsn: str, command: tuple[str, ...]) -> None:
    done = akili.run(*command, env={"AKILI_DB_DSN": dsn})
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"fatal: " in done.stderr
    assert b"hint: " in done.stderr or b"must be" in done.stderr
    assert SECRET.encode() not in done.stderr


def waits_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def begun(akili: Akili) -> bool:
    """Tell whether an intent is in the file, which a stopped database cannot hide."""
    return any(b"call.intent" in file.read_bytes() for file in (akili.workspace / "audit").glob("*.jsonl"))


def test_connections_cut_in_the_middle_of_an_action_are_replaced(dsn: str, tmp_path: Path) -> None:
    akili = Placed(tmp_path, dsn)
    with ModelServer([Reply(tool_calls=[SLOW]), ANSWER]) as server:
        akili.configure(model_url=server.url, policies=ALLOW_SLEEP)
        process = akili.start("query", "-m", "wait", "--json")
        try:
            waits_for(lambda: begun(akili), "the command never began")
            assert end_connections(dsn) > 0
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, err
    assert json.loads(out)["steps"][0]["status"] == "ok"
    assert as_json(akili, "audit", "verify")["ok"]


ALLOW_SLEEP = {
    "rules": [
        {
            "id": "sleep",
            "match": {"commands": ["sleep"], "tools": ["shell_exec"]},
            "verdict": "allow",
            "because": "a test waits",
            "risk": "low",
        }
    ]
}


def test_an_outcome_that_cannot_be_recorded_is_told_and_shown_as_interrupted_at_the_next_start(tmp_path: Path) -> None:
    with own_server() as server, ModelServer([Reply(tool_calls=[SLOW]), ANSWER]) as model:
        akili = Placed(tmp_path, server.get_uri())
        akili.configure(model_url=model.url, policies=ALLOW_SLEEP)
        process = akili.start("query", "-m", "wait")
        try:
            waits_for(lambda: begun(akili), "the command never began")
            server.stop()
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 1, err
        assert b"could not be written" in err
        assert b"hint: " in err
        assert b"Traceback" not in out + err
        down = akili.run("audit", "tail")
        assert down.returncode == 1
        assert b"cannot be reached" in down.stderr
        server.start()
        following = akili.run("runbooks", "run", "service-health-check")
        assert b"killed with 1 call under way" in following.stderr
        assert "sleep 3" in ok(akili, "audit", "tail", "--result", "interrupted", "--json")
        assert as_json(akili, "audit", "verify")["ok"]
        assert len(model.requests) == 1


def test_an_action_whose_intent_cannot_be_made_durable_does_not_run(tmp_path: Path) -> None:
    effect = Call("file_write", {"path": "effect.txt", "content": "x"})
    with (
        own_server() as server,
        ModelServer([Reply(text=["a"] * 20, tool_calls=[effect], drip_s=0.2), ANSWER]) as model,
    ):
        akili = Placed(tmp_path, server.get_uri())
        rule = {
            "id": "w",
            "match": {"tools": ["file_write"]},
            "verdict": "allow",
            "because": "a test writes",
            "risk": "low",
        }
        akili.configure(model_url=model.url, policies={"rules": [rule]})
        process = akili.start("query", "-m", "write")
        try:
            waits_for(lambda: len(model.requests) > 0, "the model was never asked")
            server.stop()
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        server.start()
        assert process.returncode == 1, (out, err)
        assert not (akili.work / "effect.txt").exists()
        assert as_json(akili, "audit", "verify")["ok"]
