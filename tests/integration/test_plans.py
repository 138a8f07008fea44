"""Plan, approve, apply: exactly what was planned, once, or nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import ROLE, Akili, only


def write(path: str, content: str, number: int = 0) -> Call:
    return Call("file_write", {"path": path, "content": content}, id=f"w{number}-{path}")


def planned(akili: Akili, *calls: Call, attached: str | None = None, **sections: Any) -> Mapping[str, Any]:
    with ModelServer([Reply(text="my plan", tool_calls=calls), Reply(text="that is the plan")]) as server:
        akili.configure(model_url=server.url, **sections)
        more = () if attached is None else ("-f", attached)
        code, report = akili.json("query", "-m", "do it", "--plan", *more)
    assert (code, report["status"]) == (0, "ok"), report
    plan: Mapping[str, Any] = report["plan"]
    assert [step["step"] for step in plan["steps"]] == list(range(1, len(calls) + 1))
    return plan


def change(akili: Akili, sql: str, *values: str) -> None:
    with sqlite3.connect(akili.workspace / "akili.db") as connection:
        connection.execute(sql, values)
    connection.close()


def statuses(akili: Akili) -> list[str]:
    found = json.loads(akili.run("approvals", "list", "--all", "--json").stdout)
    return [one["status"] for one in found]


def test_a_plan_is_shown_whole_and_applied_once(akili: Akili) -> None:
    (akili.work / "a.txt").write_text("old\nkept\n")
    plan = planned(akili, write("a.txt", "new\nkept\n"), write("b.txt", "b"))
    assert not (akili.work / "b.txt").exists()
    assert {"host", "cwd", "effects", "reversible", "risk", "cost_usd", "untrusted"} <= set(plan["steps"][0])
    shown = akili.run("approvals", "show", plan["id"]).stdout.decode()
    for said in (
        "    -old",
        "    +new",
        "risk medium, can be undone",
        plan["hash"],
        f":{akili.work}",
        "$0.0000",
        "writes",
    ):
        assert said in shown
    done = akili.run("approvals", "approve", plan["id"])
    assert done.returncode == 0, done.stderr
    assert (akili.work / "a.txt").read_text() == "new\nkept\n"
    assert (akili.work / "b.txt").read_text() == "b"
    (akili.work / "b.txt").write_text("mine")
    again = akili.run("approvals", "approve", plan["id"])
    assert (again.returncode, b"already applied" in again.stderr) == (1, True)
    assert (akili.work / "b.txt").read_text() == "mine"
    assert akili.run("audit", "verify").returncode == 0


def test_only_the_chosen_steps_run_in_the_plans_order(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"), write("b.txt", "2"), write("a.txt", "3", 2))
    done = akili.run("approvals", "approve", plan["id"], "--only", "3,1,3")
    assert done.returncode == 0, done.stderr
    assert (akili.work / "a.txt").read_text() == "3"
    assert not (akili.work / "b.txt").exists()
    assert sorted(statuses(akili)) == ["consumed", "consumed", "denied"]
    assert akili.run("approvals", "approve", plan["id"], "--only", "2").returncode == 1
    assert not (akili.work / "b.txt").exists()


@pytest.mark.parametrize(
    "typed", ["", ",", " ", "0", "4", "1,9", "-1", "1.5", "a", "1;2", "99999999999", "\u0661", "1-2"]
)
def test_an_odd_choice_applies_nothing(akili: Akili, typed: str) -> None:
    plan = planned(akili, write("a.txt", "1"))
    done = akili.run("approvals", "approve", plan["id"], f"--only={typed}")
    assert done.returncode == 64, done
    assert not (akili.work / "a.txt").exists()
    assert statuses(akili) == ["pending"]


def test_a_step_that_fails_is_the_last(akili: Akili) -> None:
    (akili.work / "d").mkdir()
    plan = planned(akili, write("a.txt", "1"), write("d/x/y.txt", "2"), write("c.txt", "3"))
    (akili.work / "d").rmdir()
    (akili.work / "d").write_text("a file now")
    code, report = akili.json("approvals", "approve", plan["id"])
    assert code != 0
    assert not (akili.work / "c.txt").exists(), report


TAMPERED = [
    "UPDATE approvals SET arguments = replace(arguments, '\"1\"', '\"evil\"') WHERE plan_index = 1",
    "UPDATE approvals SET arguments = replace(arguments, 'a.txt', 'c.txt') WHERE plan_index = 1",
    "UPDATE approvals SET effects = replace(effects, 'a.txt', 'c.txt') WHERE plan_index = 1",
    "UPDATE approvals SET action_risk = 'low' WHERE plan_index = 1",
    "UPDATE approvals SET inputs = '{}' WHERE plan_index = 1",
    "UPDATE approvals SET user_id = 'root' WHERE plan_index = 1",
    "UPDATE approvals SET source = 'http' WHERE plan_index = 1",
    "UPDATE approvals SET skill = 'other' WHERE plan_index = 1",
    "UPDATE approvals SET untrusted = '[\"x\"]' WHERE plan_index = 1",
    "UPDATE approvals SET expires_at = expires_at + 99999",
    "UPDATE approvals SET because = 'it is harmless' WHERE plan_index = 1",
    "UPDATE approvals SET plan_index = 3 - plan_index",
    "DELETE FROM approvals WHERE plan_index = 1",
    "UPDATE approvals SET plan_id = 'plan-other' WHERE plan_index = 2",
    "UPDATE plans SET hash = 'x'",
]


@pytest.mark.parametrize("sql", TAMPERED)
def test_a_plan_that_was_changed_in_the_store_does_nothing(akili: Akili, sql: str) -> None:
    plan = planned(akili, write("a.txt", "1"), write("b.txt", "2"))
    change(akili, sql)
    done = akili.run("approvals", "approve", plan["id"])
    assert done.returncode in (1, 2), done
    assert not any((akili.work / name).exists() for name in ("a.txt", "b.txt", "c.txt"))


def test_a_row_that_was_added_in_the_store_does_nothing(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"), write("b.txt", "2"))
    with ModelServer([Reply(tool_calls=[write("c.txt", "3")])]) as server:
        akili.configure(model_url=server.url)
        held = only(akili.json("query", "-m", "x")[1]["approvals"])["id"]
    change(akili, "UPDATE approvals SET plan_id = ?, plan_index = 3 WHERE id = ?", plan["id"], held)
    assert akili.run("approvals", "approve", plan["id"]).returncode == 1
    assert not any((akili.work / name).exists() for name in ("a.txt", "b.txt", "c.txt"))


def test_two_who_apply_at_once_apply_once(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"), write("b.txt", "2"))
    started = [akili.start("approvals", "approve", plan["id"]) for _ in range(4)]
    ends = [(process.communicate(timeout=60), process.returncode) for process in started]
    assert sorted(code for _, code in ends) == [0, 1, 1, 1], ends
    lines = akili.run("audit", "tail", "-n", "1000", "--json", "--tool", "file_write").stdout.decode().splitlines()
    results = [json.loads(line)["result"] for line in lines]
    assert (results.count("intent"), results.count("success")) == (2, 2)


def test_a_changed_input_of_any_chosen_step_stops_all(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"), write("b.txt", "2"))
    (akili.work / "b.txt").write_text("somebody was faster")
    done = akili.run("approvals", "approve", plan["id"])
    assert (done.returncode, b"changed since" in done.stderr) == (1, True)
    assert not (akili.work / "a.txt").exists()
    assert akili.run("approvals", "approve", plan["id"], "--only", "1").returncode == 0
    assert (akili.work / "b.txt").read_text() == "somebody was faster"


def test_a_plan_is_not_applied_on_another_machine(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"))
    change(akili, "UPDATE approvals SET host = 'elsewhere'")
    done = akili.run("approvals", "approve", plan["id"])
    assert (done.returncode, b"asked for on elsewhere" in done.stderr) == (1, True)
    assert not (akili.work / "a.txt").exists()


def test_a_relative_path_means_the_place_where_it_was_planned(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"), write("b.txt", "2"))
    other = akili.home / "other"
    other.mkdir()
    done = akili.run("approvals", "approve", plan["id"], cwd=other)
    assert done.returncode == 2
    assert b"instead of" in done.stdout
    assert b"nothing was done" in done.stderr
    assert not any(other.iterdir())
    assert statuses(akili) == ["pending", "pending"]
    assert akili.run("approvals", "approve", plan["id"]).returncode == 0


FREEZE = {"id": "freeze", "match": {"tools": ["file_write"]}, "verdict": "deny", "because": "no"}
NO_WRITING = {**ROLE, "permissions": ["shell_exec"], "require_approval": []}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"policies": {"rules": [FREEZE]}}, b"freeze"),
        ({"tools": {"file": {"allowed_paths": ["/nowhere"]}}}, b"file.allowed_paths"),
        ({"security": {"roles": {"operator": NO_WRITING}, "default_role": "operator"}}, b"not-permitted"),
    ],
    ids=["rule", "roots", "role"],
)
def test_a_policy_that_denies_one_step_by_now_stops_all(akili: Akili, sections: dict[str, Any], said: bytes) -> None:
    plan = planned(akili, Call("shell_exec", {"command": "touch /srv/x"}), write("b.txt", "2"))
    akili.configure(**sections)
    done = akili.run("approvals", "approve", plan["id"])
    assert done.returncode == 2, done
    assert said in done.stdout
    assert statuses(akili) == ["pending", "pending"]
    assert not (akili.work / "b.txt").exists()


def test_a_step_whose_risk_is_higher_by_now_stops_all(akili: Akili) -> None:
    calm = {"id": "calm", "match": {"commands": ["touch"], "writes": ["/srv"]}, "verdict": "allow", "because": "x"}
    call = Call("shell_exec", {"command": "touch /srv/x"})
    plan = planned(akili, write("b.txt", "2"), call, policies={"rules": [{**calm, "risk": "low"}]})
    assert plan["steps"][1]["risk"] == "low"
    akili.configure(policies={"rules": [calm]})
    done = akili.run("approvals", "approve", plan["id"])
    assert done.returncode == 2
    assert b"counts as high risk now and was approved as low" in done.stdout
    assert not (akili.work / "b.txt").exists()
    assert statuses(akili) == ["pending", "pending"]


def test_an_expired_plan_does_nothing_and_can_be_denied(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"))
    change(akili, "UPDATE plans SET expires_at = 1")
    done = akili.run("approvals", "approve", plan["id"])
    assert (done.returncode, b"has expired" in done.stderr) == (1, True)
    assert not (akili.work / "a.txt").exists()
    assert akili.run("approvals", "deny", plan["id"]).returncode == 0
    assert akili.run("approvals", "deny", plan["id"]).returncode == 1
    assert statuses(akili) == ["denied"]


def test_a_step_of_a_plan_is_not_approved_alone(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"))
    step = plan["steps"][0]["approval_id"]
    done = akili.run("approvals", "approve", step)
    assert (done.returncode, b"is step 1 of" in done.stderr) == (1, True)
    assert not (akili.work / "a.txt").exists()


def test_a_plan_made_from_outside_text_says_so_and_counts_higher(akili: Akili) -> None:
    (akili.work / "note").write_text("please overwrite a.txt")
    plan = planned(akili, write("a.txt", "1"), attached="note")
    assert plan["steps"][0]["risk"] == "high"
    assert only(plan["steps"])["untrusted"]
    shown = akili.run("approvals", "show", plan["id"]).stdout.decode()
    assert re.search(r"untrusted  in context: .*note", shown)
    assert "untrusted text is in context" in shown


def test_a_plan_shows_what_is_hidden_in_its_arguments(akili: Akili) -> None:
    plan = planned(akili, Call("shell_exec", {"command": "touch '/srv/a\u202eb\u200b'"}))
    shown = akili.run("approvals", "show", plan["id"]).stdout.decode()
    assert "    | touch '/srv/a\\u202eb\\u200b'" in shown


PEOPLE = {
    "roles": {"operator": {**ROLE, "max_risk_level": "low"}},
    "default_role": "operator",
}


def test_who_asked_from_elsewhere_cannot_apply_a_grave_plan(akili: Akili) -> None:
    plan = planned(akili, write("a.txt", "1"), Call("shell_exec", {"command": "touch /srv/x"}), security=PEOPLE)
    change(akili, "UPDATE approvals SET source = 'http'")
    rehash(akili, plan["id"])
    done = akili.run("approvals", "approve", plan["id"])
    assert (done.returncode, b"four_eyes" in done.stderr) == (2, True), done
    assert not (akili.work / "a.txt").exists()
    assert statuses(akili) == ["pending", "pending"]
    code, report = akili.json("approvals", "approve", plan["id"], "--only", "1", env={"AKILI_CLI_USER": "ben"})
    assert (code, [step["status"] for step in report["steps"]]) == (0, ["ok"])


def test_a_critical_step_needs_its_quorum_for_exactly_these_steps(akili: Akili) -> None:
    (akili.work / "note").write_text("x")
    call = Call("shell_exec", {"command": "sleep 0"})
    approval = {"critical_quorum": 2}
    plan = planned(akili, write("a.txt", "1"), call, attached="note", approval=approval, security=PEOPLE)
    assert [step["risk"] for step in plan["steps"]] == ["high", "critical"]
    for who in ("ann", "ann"):
        code, report = akili.json("approvals", "approve", plan["id"], env={"AKILI_CLI_USER": who})
        assert (code, {step["status"] for step in report["steps"]}) == (2, {"approval_required"})
    code, report = akili.json("approvals", "approve", plan["id"], "--only", "2", env={"AKILI_CLI_USER": "ben"})
    assert (code, {step["status"] for step in report["steps"]}) == (2, {"approval_required"})
    assert not (akili.work / "a.txt").exists()
    code, report = akili.json("approvals", "approve", plan["id"], env={"AKILI_CLI_USER": "ben"})
    assert (code, [step["status"] for step in report["steps"]]) == (0, ["ok", "ok"])
    assert (akili.work / "a.txt").exists()


def rehash(akili: Akili, plan_id: str) -> None:
    """Make a plan's hash right again, as if it had been made like this."""
    from akili_cli.core.approvals import store
    from akili_cli.core.approvals.plans import content_hash

    class Reader:
        def __init__(self, connection: sqlite3.Connection) -> None:
            connection.row_factory = sqlite3.Row
            self._connection = connection

        def execute(self, sql: str, params: Mapping[str, object]) -> list[dict[str, object]]:
            return [dict(row) for row in self._connection.execute(sql, params)]

    with sqlite3.connect(akili.workspace / "akili.db") as connection:
        steps = store.of_plan(Reader(connection), "default", plan_id)  # type: ignore[arg-type]  # all it needs
        connection.execute("UPDATE plans SET hash = ? WHERE id = ?", (content_hash(tuple(steps)), plan_id))
    connection.close()
