from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from akili_cli.core.schedule.base import Fire, FireStatus
from akili_cli.core.schedule.store import Record
from akili_cli.gateways.http.shapes.cronjobs import (
    CronJobChange,
    CronJobItem,
    CronRun,
    NewCronJob,
    Triggered,
    job_item,
    run_line,
    triggered,
)
from tests.fakes.cron import job

NEW: dict[str, Any] = {"name": "nightly", "cron_expression": "0 3 * * *", "goal": "look"}
FIRE = Fire(
    id="cron:j1:x",
    org="default",
    kind="cron",
    job_id="j1",
    fire_at=60.0,
    user="ann",
    payload={"goal": "look"},
    node="n",
)


def test_a_new_job_needs_three_fields_and_no_budget_is_none() -> None:
    draft = NewCronJob.model_validate(NEW).draft()
    assert (draft.name, draft.enabled, draft.budget_limit_usd) == ("nightly", True, None)
    assert NewCronJob.model_validate({**NEW, "budget_limit_usd": 2, "enabled": False}).draft().budget_limit_usd == 2


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"max_depth": 1}, "max_depth"),
        ({"max_tasks": 5}, "max_tasks"),
        ({"budget_limit_usd": -1}, "budget_limit_usd"),
        ({"budget_limit_usd": "1"}, "budget_limit_usd"),
        ({"enabled": 1}, "enabled"),
        ({"user_id": "root"}, "user_id"),
        ({"overlap": "maybe"}, "overlap"),
        ({"goal": ""}, "goal"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NewCronJob.model_validate({**NEW, **given})
    assert [error["loc"][0] for error in caught.value.errors()] == [field]


def test_a_change_merges_and_can_switch_off_and_clear() -> None:
    body = {"name": "", "goal": "other", "budget_limit_usd": 0, "max_depth": 0, "enabled": False, "clear": ["notify"]}
    changes = CronJobChange.model_validate(body).changes()
    assert changes.model_dump(exclude_unset=True) == {"goal": "other", "enabled": False, "clear": ("notify",)}
    with pytest.raises(ValidationError):
        CronJobChange.model_validate({"user_id": "ben"})


def test_a_job_shows_the_fields_of_the_contract_and_leaves_out_times_that_are_not_set() -> None:
    shown = job_item(job())
    CronJobItem.model_validate(shown)
    assert shown["user_id"] == "ann"
    assert (shown["description"], shown["last_error"], shown["budget_limit_usd"]) == ("", "", 0.0)
    assert (shown["max_depth"], shown["max_tasks"]) == (0, 0)
    assert not {"last_run_at", "last_run_id", "org"} & set(shown)
    assert job_item(job(budget_limit_usd=0.5, last_run_at=60.0))["last_run_at"] == "1970-01-01T00:01:00.000Z"


def test_a_run_is_shown_whatever_is_known_of_it() -> None:
    record = Record(
        fire=FIRE,
        status=FireStatus.OK,
        created_at=60.0,
        started_at=61.0,
        finished_at=None,
        run_id="r",
        error="",
        summary="fine",
        cost_usd=None,
    )
    shown = run_line(record)
    CronRun.model_validate({**shown, "status": FireStatus.OK})
    assert (shown["cronjob_id"], shown["due_at"]) == ("j1", "1970-01-01T00:01:00.000Z")
    assert "finished_at" not in shown
    assert "started_at" not in run_line(replace(record, started_at=None))


def test_a_run_that_began_names_its_place_in_the_history() -> None:
    shown = triggered(FIRE)
    Triggered.model_validate(shown)
    assert (shown["id"], shown["user_id"], shown["status"]) == ("cron:j1:x", "ann", "running")
