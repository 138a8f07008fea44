"""``akili cron``: recurring jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_async
from akili_cli.cli.drafts import checked
from akili_cli.cli.remote import KEY, URL, chosen, found, read_from
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.core.schedule.store import Record
    from akili_cli.features.cron.model import CronJob

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Make, change, run and follow recurring jobs.",
)
JSON = typer.Option(False, "--json", help="Print JSON.")
JOB = typer.Argument(metavar="JOB", help="Its name, or its id (4 characters are enough).")
ON_MISSED = "What becomes of runs nobody was there for: skip, run_once or run_all."
OVERLAP = "What happens while the run before still goes on: skip, queue or allow."
WIDTH = 60
PATH = "/v1/cronjobs"


@app.command(help='Make a job: akili cron add nightly "0 3 * * *" "Check the backups"')
def add(
    name: str = typer.Argument(help="A name of your choice."),
    expression: str = typer.Argument(
        metavar="EXPRESSION", help="Five cron fields in quotes; CRON_TZ=Europe/Berlin in front for a time zone."
    ),
    goal: str = typer.Argument(help="What the agent is to do each time, as you would ask for it."),
    description: str = typer.Option("", "--description", help="For people."),
    budget: float | None = typer.Option(None, "--budget", metavar="USD", help="What one run may cost."),
    disabled: bool = typer.Option(False, "--disabled", help="Make it, but do not run it yet."),
    on_missed: str = typer.Option("run_once", "--on-missed", help=ON_MISSED),
    overlap: str = typer.Option("skip", "--overlap", help=OVERLAP),
    notify: list[str] = typer.Option(
        [], "--notify", metavar="CHANNEL", help="Tell this channel of failures; repeatable."
    ),
    as_json: bool = JSON,
) -> None:
    """Add a job."""
    draft = {
        "name": name,
        "cron_expression": expression,
        "goal": goal,
        "description": description,
        "budget_limit_usd": budget,
        "enabled": not disabled,
        "on_missed": on_missed,
        "overlap": overlap,
        "notify": tuple(notify),
    }
    run_async(_add(draft, as_json))


@app.command("list", help="List the jobs with their next and last run.")
def list_(as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """List jobs."""
    run_async(_list(as_json, chosen(gateway_url, api_key)))


@app.command(help="Show one job.")
def show(job: str = JOB, as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """Show a job."""
    run_async(_show(job, as_json, chosen(gateway_url, api_key)))


@app.command(help="Change a job; what is not named stays. It keeps running as whoever made it.")
def edit(
    job: str = JOB,
    name: str | None = typer.Option(None, "--name"),
    expression: str | None = typer.Option(None, "--expression", metavar="EXPRESSION"),
    goal: str | None = typer.Option(None, "--goal"),
    description: str | None = typer.Option(None, "--description"),
    budget: float | None = typer.Option(None, "--budget", metavar="USD"),
    on_missed: str | None = typer.Option(None, "--on-missed", help=ON_MISSED),
    overlap: str | None = typer.Option(None, "--overlap", help=OVERLAP),
    notify: list[str] = typer.Option([], "--notify", metavar="CHANNEL", help="In the place of the channels it has."),
    clear: list[str] = typer.Option(
        [], "--clear", metavar="FIELD", help="Empty description, budget_limit_usd or notify."
    ),
    as_json: bool = JSON,
) -> None:
    """Edit a job."""
    given = {
        "name": name,
        "cron_expression": expression,
        "goal": goal,
        "description": description,
        "budget_limit_usd": budget,
        "on_missed": on_missed,
        "overlap": overlap,
        "notify": tuple(notify) or None,
        "clear": tuple(clear) or None,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise UsageError("nothing is to be changed", hint="see: akili cron edit --help")
    run_async(_edit(job, changes, "changed", as_json))


@app.command(help="Do not run a job until it is resumed.")
def pause(job: str = JOB, as_json: bool = JSON) -> None:
    """Switch a job off."""
    run_async(_edit(job, {"enabled": False}, "paused", as_json))


@app.command(help="Run a job again from its next time on.")
def resume(job: str = JOB, as_json: bool = JSON) -> None:
    """Switch a job on."""
    run_async(_edit(job, {"enabled": True}, "resumed", as_json))


@app.command(help="Forget a job; its runs stay on record.")
def rm(job: str = JOB, as_json: bool = JSON) -> None:
    """Remove a job."""
    run_async(_remove(job, as_json))


@app.command(help="Run a job now, here, as yourself (not as whoever made it), and wait for its end.")
def run(job: str = JOB, as_json: bool = JSON) -> None:
    """Trigger a job."""
    raise typer.Exit(run_async(_run(job, as_json)))


@app.command(help="Show the runs of one job, or of all, newest first.")
def history(
    job: str | None = typer.Argument(None, metavar="[JOB]"),
    limit: int = typer.Option(20, "--limit", min=1, max=1000, help="At most so many."),
    as_json: bool = JSON,
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Show runs."""
    run_async(_history(job, limit, as_json, chosen(gateway_url, api_key)))


@app.command("next", help='Show when a job, or an expression in quotes, runs next: akili cron next "0 9 * * 1-5"')
def next_(
    what: str = typer.Argument(metavar="JOB|EXPRESSION"),
    count: int = typer.Option(5, "--count", min=1, max=100, help="How many times."),
    as_json: bool = JSON,
) -> None:
    """Show the next times."""
    run_async(_next(what, count, as_json))


async def _add(given: Mapping[str, object], as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.features.cron.model import JobDraft

    draft = checked(JobDraft, given)
    async with opened_app() as app_:
        job = await app_.cron.add(draft, principal())
        runs = app_.state.loaded.settings.scheduler.enabled
    _said(job, "added", as_json)
    if not runs:
        render.talk("it is not run while scheduler.enabled is false; `akili cron run` still does", "yellow")


async def _list(as_json: bool, gateway: Gateway | None) -> None:
    jobs = await _jobs() if gateway is None else await gateway.rows(PATH)
    if as_json:
        render.out_json(jobs)
    elif jobs:
        with read_from(gateway):
            render.out_table(("NAME", "WHEN", "NEXT", "LAST", "RESULT", "OWNER"), [_row(job) for job in jobs])
    else:
        render.talk("there is no job; see: akili cron add --help")


async def _jobs() -> list[dict[str, Any]]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.cron.service import CronReader

    async with opened_state() as state:
        return [job.as_dict() for job in await CronReader(state.db, state.org).jobs()]


async def _show(typed: str, as_json: bool, gateway: Gateway | None) -> None:
    job = await _job(typed) if gateway is None else await found(gateway, PATH, typed, "job")
    if as_json:
        render.out_json(job)
    else:
        render.out_fields(job)


async def _job(typed: str) -> Mapping[str, Any]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.cron.service import CronReader

    async with opened_state() as state:
        return (await CronReader(state.db, state.org).job(typed)).as_dict()


async def _edit(typed: str, given: Mapping[str, object], verb: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.features.cron.model import JobChanges

    changes = checked(JobChanges, given)
    async with opened_app() as app_:
        job = await app_.cron.edit(typed, changes, principal())
    _said(job, verb, as_json)


async def _remove(typed: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        job = await app_.cron.remove(typed, principal())
    _said(job, "removed", as_json)


async def _run(typed: str, as_json: bool) -> int:
    from akili_cli.bootstrap.ticking import open_ticking
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.features.cron.model import KIND

    async with opened_app() as app_, open_ticking(app_, (KIND,), durable=False) as ticking:
        me = principal()
        job = await app_.cron.to_trigger(typed, me)
        fire = await ticking.ticker.trigger(job, KIND, me.user)
        render.talk(f"running {job.payload['name']} as {me.user}")
        ended = await ticking.ticker.play(fire)
    assert ended is not None
    if as_json:
        told = {"id": fire.id, "status": str(ended.status), "run_id": ended.run_id, "error": ended.error}
        render.out_json({**told, "summary": ended.summary, "cost_usd": ended.cost_usd})
    else:
        render.out(ended.summary)
        if ended.error:
            render.talk(f"{ended.status}: {ended.error}", "red")
    return ended.status.exit_code


async def _history(typed: str | None, limit: int, as_json: bool, gateway: Gateway | None) -> None:
    runs = await _runs(typed, limit) if gateway is None else await _runs_there(gateway, typed, limit)
    if as_json:
        render.out_json(runs)
    elif runs:
        with read_from(gateway):
            rows = [
                (
                    *(entry["due"], entry["job"], entry["status"], entry.get("duration_s", "-")),
                    render.fitting(entry.get("error") or entry.get("summary", ""), WIDTH),
                )
                for entry in runs
            ]
        render.out_table(("DUE", "JOB", "STATUS", "SECONDS", "WHAT"), rows)
    else:
        render.talk("nothing has run yet")


async def _runs(typed: str | None, limit: int) -> list[dict[str, Any]]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.cron.service import CronReader

    async with opened_state() as state:
        return [_record(name, one) for name, one in await CronReader(state.db, state.org).history(typed, limit)]


async def _runs_there(gateway: Gateway, typed: str | None, limit: int) -> list[dict[str, Any]]:
    """Give the runs of one job as they are told here; a gateway has no list of all."""
    from datetime import datetime

    if typed is None:
        raise UsageError("name a job: a gateway tells the runs of one at a time", hint="see: akili cron list")
    job = await found(gateway, PATH, typed, "job")
    with read_from(gateway):
        runs = await gateway.rows(f"{PATH}/{job['id']}/history", limit=limit)
        told = [{"id": one["id"], "job": job["name"], "due": one["due_at"], **one} for one in runs]
        for one in told:
            if one.get("started_at") and one.get("finished_at"):
                lasted = datetime.fromisoformat(one["finished_at"]) - datetime.fromisoformat(one["started_at"])
                one["duration_s"] = lasted.total_seconds()
    return told


async def _next(what: str, count: int, as_json: bool) -> None:
    import itertools

    from akili_cli.cli.opening import opened_state
    from akili_cli.core.schedule.cron_expr import parse_cron
    from akili_cli.domain.clock import iso
    from akili_cli.features.cron.service import CronReader

    async with opened_state() as state:
        expression = what if " " in what else (await CronReader(state.db, state.org).job(what)).cron_expression
        expr = parse_cron(expression)
        times = [iso(at) for at in itertools.islice(expr.after(state.clock.now()), count)]
    if as_json:
        render.out_json({"cron_expression": expr.text, "timezone": expr.zone.key, "next": times})
    else:
        render.out("\n".join(times))


def _row(job: Mapping[str, Any]) -> tuple[str, ...]:
    last = job.get("last_run_at")
    told = "-" if last is None else (render.fitting(job.get("last_error", ""), WIDTH) or "ok")
    coming = job["next_run_at"][:16] if job["enabled"] else "paused"
    return (job["name"], job["cron_expression"], coming, "-" if last is None else last[:16], told, job["user_id"])


def _record(name: str, record: Record) -> dict[str, Any]:
    from akili_cli.domain.clock import iso

    told: dict[str, Any] = {
        "id": record.fire.id,
        "job": name,
        "due": iso(record.fire.fire_at),
        "status": str(record.status),
        "user_id": record.fire.user,
        "node": record.fire.node,
        "attempt": record.fire.attempt,
        "run_id": record.run_id,
        "error": record.error,
        "summary": record.summary,
        "cost_usd": record.cost_usd,
    }
    if record.started_at is not None and record.finished_at is not None:
        told["duration_s"] = round(record.finished_at - record.started_at, 3)
    return told


def _said(job: CronJob, verb: str, as_json: bool) -> None:
    from akili_cli.domain.clock import iso

    if as_json:
        render.out_json(job.as_dict())
        return
    coming = f", next at {iso(job.next_run_at)}" if job.enabled and verb != "removed" else ""
    render.talk(f"{verb} {job.name} ({job.id[:8]}){coming}")
