from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.heartbeats import task, task_file
from tests.integration.akili import Akili


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    made = Akili(tmp_path)
    (made.work / "tasks").mkdir(mode=0o755)
    made.configure(heartbeat_tasks={"tasks_dirs": ["tasks"], "max_runs_per_day": 1})
    return made


def put(akili: Akili, text: str, name: str = "a.md") -> Path:
    path = akili.work / "tasks" / name
    path.write_text(text)
    return path


def said(akili: Akili, *arguments: str, code: int = 0, **env: str) -> tuple[str, str]:
    done = akili.run("heartbeats", *arguments, env=env)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def told(akili: Akili, *arguments: str, code: int = 0, **env: str) -> Any:
    return json.loads(said(akili, *arguments, "--json", code=code, **env)[0])


def test_a_task_from_its_file_to_its_history(akili: Akili) -> None:
    put(akili, task_file(task("health", "precheck: command false", prompt="Is this host healthy?"), cron="0 9 * * *"))
    put(akili, "nothing", "b.md")
    out, err = said(akili, "list")
    assert "ops/health" in out
    assert "tasks/b.md:1: no front matter" in err
    assert "not run while heartbeat_tasks.enabled is false" in err
    listed = told(akili, "list")
    assert [one["user_id"] for one in listed["tasks"]] == ["ann"]
    assert len(listed["problems"]) == 1
    assert told(akili, "show", "health")["precheck"] == "command false"
    for _ in range(2):  # a person's run passes precheck and cap
        done = told(akili, "run", "health", AKILI_CLI_USER="ben")
        assert (done["status"], done["error"]) == ("success", "")
    records = told(akili, "history", "ops/health")
    assert [(one["status"], one["user_id"]) for one in records] == [("success", "ben")] * 2
    assert records[0]["correlation_id"].startswith("hbt-")
    assert "Health Check" in said(akili, "history")[0]
    assert told(akili, "show", "health")["runs_today"] == 2
    assert "last_status" in said(akili, "show", "health")[0]
    lines = akili.run("audit", "tail", "--tool", "heartbeat_task.fire", "--json").stdout.decode().splitlines()
    assert [json.loads(line)["result"] for line in lines] == ["started", "success"] * 2
    assert akili.run("audit", "verify").stdout.startswith(b"ok")


def test_checking_names_the_line_and_touches_no_workspace(akili: Akili) -> None:
    good = put(akili, task_file())
    bad = put(akili, task_file(task("look", "cron: often"), name="other"), "b.md")
    before = sorted(akili.home.rglob("*"))
    assert said(akili, "validate", str(good)) == ("", "1 files, 1 tasks, 0 problems\n")
    out, _ = said(akili, "validate", "tasks/a.md", "tasks/b.md", code=1)
    assert out.startswith("tasks/b.md:8: cron: ")
    answer = told(akili, "validate", str(good), str(bad), code=1)
    assert (answer["ok"], len(answer["problems"]), [one["name"] for one in answer["tasks"]]) == (False, 1, ["look"])
    assert told(akili, "validate", "none.md", code=1)["problems"] == [
        "none.md: cannot be read: No such file or directory"
    ]
    assert sorted(akili.home.rglob("*")) == before


def test_a_task_that_is_not_there_is_an_error_with_a_hint(akili: Akili) -> None:
    put(akili, task_file())
    for verb in ("show", "run", "history"):
        _, err = said(akili, verb, "lok", code=1)
        assert "there is no task 'lok'" in err


def test_without_files_the_lists_are_empty(akili: Akili) -> None:
    assert said(akili, "list")[1].startswith("there is no task in the files")
    assert said(akili, "history")[1] == "nothing has run yet\n"
    akili.configure()
    assert "tasks_dirs names no directory" in said(akili, "list")[1]


def test_a_file_that_others_may_write_is_refused_with_what_to_do(akili: Akili) -> None:
    put(akili, task_file()).chmod(0o666)
    _, err = said(akili, "list")
    assert "can be written by others (mode 0666)" in err
    assert "chmod go-w" in err
    said(akili, "run", "look", code=1)
