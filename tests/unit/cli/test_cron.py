from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.akili import ROLE, Akili

PLANNER = {"permissions": [*ROLE["permissions"], "create_cronjob"], "max_risk_level": "medium"}
SECURITY = {"roles": {"operator": PLANNER, "viewer": ROLE}, "user_roles": {"vic": "viewer"}, "default_role": "operator"}


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    made = Akili(tmp_path)
    made.configure(security=SECURITY)
    return made


def said(akili: Akili, *arguments: str, code: int = 0, **env: str) -> tuple[str, str]:
    done = akili.run(*arguments, env=env)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def told(akili: Akili, *arguments: str, **env: str) -> Any:
    return json.loads(said(akili, *arguments, "--json", **env)[0])


def test_a_job_from_its_making_to_its_removal(akili: Akili) -> None:
    job = told(akili, "cron", "add", "health", "0 3 * * *", "Is this host healthy?", "--budget", "0.5")
    assert (job["user_id"], job["enabled"], job["on_missed"], job["overlap"]) == ("cli-user", True, "run_once", "skip")
    assert [one["name"] for one in told(akili, "cron", "list")] == ["health"]
    assert "0 3 * * *" in said(akili, "cron", "list")[0]
    assert told(akili, "cron", "show", job["id"][:6])["goal"] == "Is this host healthy?"
    changed = told(akili, "cron", "edit", "health", "--expression", "0 4 * * *", "--clear", "budget_limit_usd")
    assert (changed["cron_expression"], "budget_limit_usd" in changed) == ("0 4 * * *", False)
    assert told(akili, "cron", "pause", "health")["enabled"] is False
    assert told(akili, "cron", "resume", "health")["enabled"] is True
    said(akili, "cron", "rm", "health")
    assert told(akili, "cron", "list") == []


def test_a_triggered_job_runs_here_and_is_in_the_history(akili: Akili) -> None:
    said(akili, "cron", "add", "health", "0 3 * * *", "Is this host healthy?")
    done = told(akili, "cron", "run", "health", AKILI_CLI_USER="ben")
    assert done["status"] == "ok"
    (record,) = told(akili, "cron", "history", "health")
    assert (record["status"], record["user_id"], record["job"]) == ("ok", "ben", "health")
    assert "manual" in record["id"]
    assert "Health Check" in said(akili, "cron", "history")[0]
    verified, _ = said(akili, "audit", "verify")
    assert verified.startswith("ok")
    lines = said(akili, "audit", "tail", "--tool", "cronjob.fire", "--json")[0].splitlines()
    fired = [json.loads(line) for line in lines]
    assert [(one["user"], one["result"]) for one in fired] == [("ben", "started"), ("ben", "success")]


def test_a_refusal_of_the_run_is_the_exit_code(akili: Akili) -> None:
    akili.configure(
        security={
            **SECURITY,
            "roles": {**SECURITY["roles"], "operator": {"permissions": ["create_cronjob"], "max_risk_level": "low"}},
        }
    )
    said(akili, "cron", "add", "health", "0 3 * * *", "Is this host healthy?")
    _, why = said(akili, "cron", "run", "health", code=2)
    assert "denied" in why


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("add", "x", "0 0 31 2 *", "g"), 1, "31 2"),
        (("add", "x", "@hourly", "g"), 1, "shortcuts"),
        (("add", "x", "* * * *", "g"), 1, "4 fields"),
        (("add", "", "* * * * *", "g"), 64, "name"),
        (("add", "x", "* * * * *", ""), 64, "goal"),
        (("add", "x", "* * * * *", "g", "--budget", "-1"), 64, "budget"),
        (("add", "x", "* * * * *", "g", "--overlap", "maybe"), 64, "overlap"),
        (("add", "x", "* * * * *", "g", "--notify", "nowhere"), 1, "no channel"),
        (("show", "helth"), 1, "health"),
        (("edit", "health"), 64, "nothing"),
        (("edit", "health", "--clear", "goal"), 1, "cleared"),
        (("next", "61 * * * *"), 1, "minute"),
    ],
)
def test_bad_input_is_refused_with_the_reason(akili: Akili, arguments: tuple[str, ...], code: int, why: str) -> None:
    said(akili, "cron", "add", "health", "0 3 * * *", "look")
    _, text = said(akili, "cron", *arguments, code=code)
    assert why in text
    assert len(told(akili, "cron", "list")) == 1


def test_others_jobs_and_missing_permissions_are_refusals(akili: Akili) -> None:
    said(akili, "cron", "add", "health", "0 3 * * *", "look")
    assert "belongs to cli-user" in said(akili, "cron", "rm", "health", code=2, AKILI_CLI_USER="ben")[1]
    assert "create_cronjob" in said(akili, "cron", "run", "health", code=2, AKILI_CLI_USER="vic")[1]
    assert "create_cronjob" in said(akili, "cron", "add", "x", "0 3 * * *", "g", code=2, AKILI_CLI_USER="vic")[1]


def test_the_next_times_of_an_expression_are_told(akili: Akili) -> None:
    shown = told(akili, "cron", "next", "CRON_TZ=Europe/Berlin 30 2 29 3 *", "--count", "2")
    assert shown["timezone"] == "Europe/Berlin"
    assert len(shown["next"]) == 2
