"""Approvals from the command line: the whole card on every surface, and what voids a yes."""

from __future__ import annotations

import json
import re
import sqlite3
from importlib import resources
from typing import Any

import jsonschema
import pytest

from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import ROLE, Akili, only

WRITE = Call("file_write", {"path": "note.txt", "content": "hello"}, id="call-w")
SLEEP = Call("shell_exec", {"command": "sleep 0"}, id="call-s")
LOW = {"security": {"roles": {"operator": {**ROLE, "max_risk_level": "low"}}, "default_role": "operator"}}
SECRET = "Zq8-correct-horse-battery"


def held(akili: Akili, call: Call, *words: str, text: str = "I need this.", **sections: Any) -> dict[str, Any]:
    with ModelServer([Reply(text=text, tool_calls=[call])]) as server:
        akili.configure(model_url=server.url, **{**LOW, **sections})
        code, report = akili.json("query", "-m", "do it", *words)
    assert (code, report["status"]) == (2, "approval_required"), report
    card: dict[str, Any] = only(report["approvals"])
    return card


def change(akili: Akili, sql: str) -> None:
    with sqlite3.connect(akili.workspace / "akili.db") as connection:
        connection.execute(sql)
    connection.close()


def card_schema() -> dict[str, Any]:
    schema = json.loads((resources.files("akili_cli.core.agent") / "run.schema.json").read_text())
    return {**schema["$defs"]["card"], "$defs": schema["$defs"]}


def test_every_surface_shows_the_whole_card(akili: Akili) -> None:
    """Query, events, list and show agree on every field; the text says each of them."""
    (akili.work / "in").write_text("x")
    with ModelServer([Reply(text="I need this.", tool_calls=[SLEEP])]) as server:
        akili.configure(model_url=server.url, **LOW)
        done = akili.run("query", "-m", "do it", "-f", "in", "--jsonl")
    events = [json.loads(line) for line in done.stdout.decode().splitlines()]
    asked = only([event for event in events if event["event"] == "approval.requested"])
    told = only(only([event for event in events if event["event"] == "run.finished"])["approvals"])
    listed = only(json.loads(akili.run("approvals", "list", "--json").stdout))
    shown = json.loads(akili.run("approvals", "show", told["id"], "--json").stdout)
    assert {key: value for key, value in asked.items() if key != "event"} == told == listed == shown
    jsonschema.validate(told, card_schema())
    assert {layer["name"] for layer in told["sandbox"]} >= {"files", "network"}
    assert told["cost"] == {"spent_usd": 0.0, "remaining_usd": 10.0, "call_usd": 0.0}
    assert (told["risk"], told["reason"], told["reversible"]) == ("critical", "I need this.", True)
    text = akili.run("approvals", "show", told["id"][:8]).stdout.decode()
    for said in (
        rf"approval   {told['id']}  \(pending, expires 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\)",
        r"tool       shell_exec   risk critical",
        r"who        cli-user via cli",
        rf"where      .+:{re.escape(str(akili.work))}",
        r"    \| sleep 0",
        r"effects    commands sleep 0",
        r"undo       can be undone",
        r"sandbox    .*(files|NO layer)",
        r"rule       critical-always-asks \(built-in\): .*untrusted text is in context",
        r"untrusted  in context: .*in",
        r"cost       \$0\.0000 spent today, \$10\.00 left",
        r"the model says \(not verified\):\n    I need this\.",
    ):
        assert re.search(said, text), said


def test_a_write_is_shown_as_its_change_before_the_yes_and_again_with_it(akili: Akili) -> None:
    (akili.work / "note.txt").write_text("before\n")
    card = held(akili, WRITE)
    shown = akili.run("approvals", "show", card["id"]).stdout.decode()
    approved = akili.run("approvals", "approve", card["id"])
    assert approved.returncode == 0
    for text in (shown, approved.stderr.decode()):
        assert "    -before" in text
        assert "    +hello" in text


HIDING = {
    "long": "touch /srv/" + "a" * 3000 + " /srv/evil",
    "spaces": "touch /srv/a" + " " * 3000 + "/srv/evil",
    "lines": "touch /srv/a" + "\n" * 500 + "touch /srv/evil",
    "invisible": "touch '/srv/a\u200b\u2060\u00ad' /srv/evil",
    "tags": "touch '/srv/a\U000e0020\U000e0065' /srv/evil",
    "bidi": "touch '/srv/a\u202egpj.exe\u202c' /srv/evil",
    "right-to-left": "touch /srv/\u05d0/1 /srv/\u0627/evil",
    "title": "touch '/srv/a\x1b]0;x\x07' /srv/evil",
    "erase": "touch '/srv/a\x1b[2K\x1b[1A' /srv/evil",
    "carriage": "touch '/srv/a\r' /srv/evil",
    "backspace": "touch '/srv/a\x08\x08\x08' /srv/evil",
    "separator": "touch '/srv/a\u2028' /srv/evil",
    "no-break": "touch '/srv/a" + "\u00a0" * 300 + "' /srv/evil",
    "trailing": "touch /srv/evil '/srv/\u3164\u2800'",
}


@pytest.mark.parametrize("command", HIDING.values(), ids=HIDING)
def test_nothing_of_a_command_is_hidden_where_it_is_approved(akili: Akili, command: str) -> None:
    with ModelServer([Reply(tool_calls=[Call("shell_exec", {"command": command})])]) as server:
        akili.configure(model_url=server.url, **LOW)
        query = akili.run("query", "-m", "do it")
    assert query.returncode == 2, query
    told = query.stderr.decode()
    assert "approvals approve" not in told
    assert all(char.isprintable() or char == "\n" for char in told)
    if any(char in command for char in "\x1b\r\x08"):
        assert "refused: " in told  # what such a line does cannot be known, so nobody is even asked
        return
    listed = akili.run("approvals", "list").stdout.decode()
    short = listed.splitlines()[1].split()[0]
    shown = akili.run("approvals", "show", short)
    approved = akili.run("approvals", "approve", short)
    for text in (told, listed, shown.stdout.decode(), approved.stderr.decode()):
        assert all(char.isprintable() or char == "\n" for char in text)
        assert not set(text) & set("\u3164\u2800\u05d0\u0627")
    for text in (shown.stdout.decode(), approved.stderr.decode()):
        assert "/evil" in text
        assert "look twice " in text
    assert "..." in listed or "/evil" in listed


def test_a_yes_from_another_directory_does_not_write_there(akili: Akili) -> None:
    card = held(akili, WRITE)
    other = akili.home / "other"
    other.mkdir()
    done = akili.run("approvals", "approve", card["id"], cwd=other)
    assert done.returncode == 2
    assert b"approval-effects" in done.stdout
    assert not any(other.iterdir())
    assert not (akili.work / "note.txt").exists()


def test_a_yes_on_another_machine_leaves_it_waiting(akili: Akili) -> None:
    card = held(akili, WRITE)
    change(akili, "UPDATE approvals SET host = 'elsewhere'")
    done = akili.run("approvals", "approve", card["id"])
    assert (done.returncode, b"asked for on elsewhere" in done.stderr) == (1, True)
    assert only(json.loads(akili.run("approvals", "list", "--json").stdout))["status"] == "pending"
    assert not (akili.work / "note.txt").exists()


def test_a_yes_to_a_link_that_leads_elsewhere_by_now_does_nothing(akili: Akili) -> None:
    (akili.work / "real").mkdir()
    (akili.work / "other").mkdir()
    (akili.work / "link").symlink_to("real")
    card = held(akili, Call("file_write", {"path": "link/x", "content": "y"}))
    (akili.work / "link").unlink()
    (akili.work / "link").symlink_to("other")
    done = akili.run("approvals", "approve", card["id"])
    assert (done.returncode, b"approval-effects" in done.stdout) == (2, True)
    assert not (akili.work / "other" / "x").exists()
    assert not (akili.work / "real" / "x").exists()


def test_a_yes_to_what_counts_higher_by_now_does_nothing(akili: Akili) -> None:
    calm = {"id": "calm", "match": {"commands": ["sleep"]}, "verdict": "ask", "because": "x"}
    lowered = {**calm, "id": "low", "verdict": "allow", "risk": "low"}
    card = held(akili, SLEEP, policies={"rules": [calm, lowered]})
    assert card["risk"] == "low"
    akili.configure(**LOW, policies={"rules": [calm]})
    done = akili.run("approvals", "approve", card["id"])
    assert (done.returncode, b"counts as high risk now and was approved as low" in done.stdout) == (2, True)


def test_a_changed_call_is_decided_anew(akili: Akili) -> None:
    stop = {"id": "not-there", "match": {"writes": [str(akili.work / "no")]}, "verdict": "deny", "because": "no"}
    card = held(akili, WRITE, policies={"rules": [stop]})
    code, step = akili.json("approvals", "approve", card["id"], "--set", "path=no/x")
    assert (code, step["status"], step["rule"]) == (2, "denied", "not-there")
    card = held(akili, WRITE, policies={"rules": [stop]})
    code, step = akili.json("approvals", "approve", card["id"], "--set", "path=yes.txt")
    assert (code, step["status"]) == (0, "ok")
    assert (akili.work / "yes.txt").read_text() == "hello"
    assert not (akili.work / "note.txt").exists()


def test_a_secret_in_a_call_is_stored_nowhere_and_still_used(akili: Akili) -> None:
    env = {"DEPLOY_TOKEN": SECRET}
    with ModelServer([Reply(tool_calls=[Call("file_write", {"path": "s.txt", "content": f"k={SECRET}"})])]) as server:
        akili.configure(model_url=server.url, **LOW)
        code, report = akili.json("query", "-m", "do it", env=env)
    card = only(report["approvals"])
    assert code == 2
    assert SECRET not in json.dumps(report)
    stored = b"".join(path.read_bytes() for path in akili.workspace.rglob("*") if path.is_file())
    assert SECRET.encode() not in stored
    done = akili.run("approvals", "approve", card["id"], env=env)
    assert done.returncode == 0, done
    assert SECRET.encode() not in done.stdout + done.stderr
    assert (akili.work / "s.txt").read_text() == f"k={SECRET}"


def test_who_asked_is_excluded_and_a_quorum_is_counted_in_the_store(akili: Akili) -> None:
    (akili.work / "in").write_text("x")
    card = held(akili, SLEEP, "-f", "in", approval={"critical_quorum": 2})
    assert card["risk"] == "critical"
    change(akili, "UPDATE approvals SET source = 'http', user_id = 'ann'")
    assert akili.run("approvals", "approve", card["id"], env={"AKILI_CLI_USER": "ann"}).returncode == 2
    for _ in range(2):
        code, step = akili.json("approvals", "approve", card["id"], env={"AKILI_CLI_USER": "ben"})
        assert (code, step["status"]) == (2, "approval_required")
    assert only(json.loads(akili.run("approvals", "list", "--json").stdout))["status"] == "pending"


def test_the_time_to_rule_and_the_time_to_use_are_apart(akili: Akili) -> None:
    card = held(akili, WRITE, approval={"ttl_seconds": 1000, "use_ttl_seconds": 7})
    assert card["expires_at"] - card["created_at"] == 1000
    akili.run("approvals", "approve", card["id"])
    with sqlite3.connect(akili.workspace / "akili.db") as connection:
        ((resolved, use),) = connection.execute("SELECT resolved_at, use_expires_at FROM approvals").fetchall()
    connection.close()
    assert use - resolved == 7
