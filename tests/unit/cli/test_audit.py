from __future__ import annotations

import json

from tests.unit.cli.conftest import Say


def test_an_empty_record_is_whole(akili: Say) -> None:
    assert akili("audit", "tail").err == "no records\n"
    assert akili("audit", "verify").code == 0


def test_records_are_shown_filtered_and_as_json(akili: Say) -> None:
    akili("runbooks", "run", "service-health-check")
    lines = akili("audit", "tail", "-n", "500", "--json").out.splitlines()
    assert {json.loads(line)["result"] for line in lines} >= {"started", "intent", "success"}
    table = akili("audit", "tail", "--tool", "shell_exec", "--result", "intent").out
    assert "intent" in table
    assert "success" not in table
    assert akili("audit", "tail", "--user", "nobody").err == "no records\n"
    verified = akili("audit", "verify", "--json")
    assert (verified.code, verified.json["ok"], verified.json["problems"]) == (0, True, [])


def test_a_changed_row_breaks_the_record(akili: Say) -> None:
    import os
    import sqlite3

    akili("runbooks", "run", "service-health-check")
    connection = sqlite3.connect(f"{os.environ['HOME']}/.akili/akili.db")
    connection.execute("UPDATE audit_events SET user_id = 'mallory' WHERE kind = 'call.intent'")
    connection.commit()
    connection.close()
    said = akili("audit", "verify")
    assert said.code == 1
    assert "BROKEN" in said.out
