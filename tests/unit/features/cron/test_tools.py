from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal, ToolCall
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError
from akili_cli.features.cron.model import CronJob, JobDraft
from akili_cli.features.cron.tools import CreateCronjob, CreateCronjobArgs
from tests.fakes.cron import JOB
from tests.fakes.permits import permit_for


@dataclass
class Jobs:
    error: Exception | None = None
    asked: list[tuple[JobDraft, Principal]] = field(default_factory=list)

    async def add(self, draft: JobDraft, by: Principal) -> CronJob:
        self.asked.append((draft, by))
        if self.error is not None:
            raise self.error
        return JOB


def args(**more: object) -> CreateCronjobArgs:
    return CreateCronjobArgs.model_validate({"name": "nightly", "cron_expression": "0 9 * * *", "goal": "look", **more})


async def test_a_job_is_made_for_whoever_the_call_is_made_for() -> None:
    jobs = Jobs()
    permit = replace(permit_for(Effects()), user="ann", source="repl")
    output = await CreateCronjob(jobs).run(args(budget_limit_usd=0.5), permit)
    ((draft, by),) = jobs.asked
    assert (by.user, str(by.source), draft.budget_limit_usd) == ("ann", "repl", 0.5)
    assert output.ok
    assert output.metadata == {
        "cronjob_id": "j1",
        "cron_expression": "0 9 * * *",
        "next_run_at": "1970-01-01T00:00:00.000Z",
        "enabled": True,
    }


async def test_limits_of_workflows_are_taken_as_zero_and_refused_by_name_and_reason_otherwise() -> None:
    jobs = Jobs()
    permit = replace(permit_for(Effects()), user="ann", source="repl")
    assert (await CreateCronjob(jobs).run(args(max_depth=0, max_tasks=0), permit)).ok
    box = ToolBox([CreateCronjob(jobs)])
    for name in ("max_depth", "max_tasks"):
        arguments = {"name": "n", "cron_expression": "0 9 * * *", "goal": "look", name: 3}
        with pytest.raises(InvalidArgumentsError, match=f"{name}: .*there are no workflows to limit"):
            box.parse(ToolCall("c", "create_cronjob", arguments))


async def test_without_a_user_nothing_is_made() -> None:
    jobs = Jobs()
    output = await CreateCronjob(jobs).run(args(), replace(permit_for(Effects()), user="", source="repl"))
    assert not output.ok
    assert jobs.asked == []


async def test_what_cannot_be_made_is_told() -> None:
    permit = replace(permit_for(Effects()), user="ann", source="repl")
    output = await CreateCronjob(Jobs(ConflictError("there is one already"))).run(args(), permit)
    assert (output.ok, output.text) == (False, "Error: there is one already")


def test_it_declares_the_channels_it_would_write_to() -> None:
    assert CreateCronjob(Jobs()).effects(args(notify=["ops"])).channels == ("ops",)


def test_an_impossible_date_is_refused_before_policy() -> None:
    with pytest.raises(InvalidArgumentsError):
        CreateCronjob(Jobs()).effects(args(cron_expression="0 0 31 2 *"))
