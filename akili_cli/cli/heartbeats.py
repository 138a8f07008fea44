"""``akili heartbeats``: recurring tasks that stand in Markdown files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_async

if TYPE_CHECKING:
    from akili_cli.features.heartbeats.model import HeartbeatTask, TaskSpec

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Check, show, run and follow the tasks in Markdown files.",
)
JSON = typer.Option(False, "--json", help="Print JSON.")
TASK = typer.Argument(metavar="TASK", help="Its name, group/name, or its id (4 characters are enough).")
WIDTH = 60


@app.command("list", help="List the tasks that stand in the files now; what is wrong with a file goes to stderr.")
def list_(as_json: bool = JSON) -> None:
    """List tasks."""
    run_async(_list(as_json))


@app.command(help="Show one task: what its file says now, and what became of it so far.")
def show(task: str = TASK, as_json: bool = JSON) -> None:
    """Show a task."""
    run_async(_show(task, as_json))


@app.command(help="Check task files without storing anything. Exit 1 on a problem, which is named with its line.")
def validate(
    file: list[Path] = typer.Argument(metavar="FILE...", help="Task files."),
    as_json: bool = JSON,
) -> None:
    """Check files."""
    raise typer.Exit(_validate(file, as_json))


@app.command(help="Read the files, run a task now, here, as yourself (without its precheck and cap), and wait.")
def run(task: str = TASK, as_json: bool = JSON) -> None:
    """Trigger a task."""
    raise typer.Exit(run_async(_run(task, as_json)))


@app.command(help="Show the results of one task, or of all, newest first.")
def history(
    task: str | None = typer.Argument(None, metavar="[TASK]"),
    limit: int = typer.Option(20, "--limit", min=1, max=1000, help="At most so many."),
    as_json: bool = JSON,
) -> None:
    """Show results."""
    run_async(_history(task, limit, as_json))


async def _list(as_json: bool) -> None:
    from akili_cli.bootstrap.heartbeats import open_heartbeat_reader
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        found = await open_heartbeat_reader(state).overview()
        settings = state.loaded.settings.heartbeat_tasks
    if as_json:
        told = [_task(spec, stored, settings.default_user_id) for spec, stored in found.tasks]
        render.out_json({"tasks": told, "problems": list(found.problems)})
    elif found.tasks:
        rows = [_row(spec, stored, settings.default_user_id) for spec, stored in found.tasks]
        render.out_table(("TASK", "WHEN", "MODE", "NEXT", "LAST", "RESULT", "USER"), rows)
    elif not settings.tasks_dirs:
        render.talk("heartbeat_tasks.tasks_dirs names no directory of task files")
    else:
        render.talk("there is no task in the files")
    for problem in () if as_json else found.problems:
        render.talk(problem, "yellow")
    if found.tasks and not settings.enabled and not as_json:
        render.talk("they are not run while heartbeat_tasks.enabled is false; `akili heartbeats run` still does")


async def _show(typed: str, as_json: bool) -> None:
    from akili_cli.bootstrap.heartbeats import open_heartbeat_reader
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        spec, stored = await open_heartbeat_reader(state).shown(typed)
        told = _task(spec, stored, state.loaded.settings.heartbeat_tasks.default_user_id)
    if as_json:
        render.out_json(told)
    else:
        render.out_fields(told)


def _validate(paths: Sequence[Path], as_json: bool) -> int:
    from akili_cli.domain.errors import ConfigError
    from akili_cli.features.heartbeats.model import spec_dict
    from akili_cli.features.heartbeats.service import check_files

    try:
        files = check_files(paths)
    except ConfigError as error:
        files, problems = (), [str(error)]
    else:
        problems = [problem for file in files for problem in file.problems]
    tasks = [spec_dict(spec) for file in files for spec in file.tasks]
    if as_json:
        render.out_json({"ok": not problems, "problems": problems, "tasks": tasks})
    else:
        for problem in problems:
            render.out(problem)
        render.talk(f"{len(files)} files, {len(tasks)} tasks, {len(problems)} problems")
    return 1 if problems else 0


async def _run(typed: str, as_json: bool) -> int:
    from akili_cli.bootstrap.heartbeats import open_heartbeats
    from akili_cli.bootstrap.ticking import open_ticking
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.features.heartbeats.model import KIND

    async with opened_app() as app_, open_ticking(app_, (KIND,), durable=False) as ticking:
        me, service = principal(), open_heartbeats(app_)
        await service.sync(me)
        job = await service.to_trigger(typed)
        fire = await ticking.ticker.trigger(job, KIND, me.user)
        render.talk(f"running {job.payload['group']}/{job.payload['name']} as {me.user}")
        ended = await ticking.ticker.play(fire)
    assert ended is not None
    if as_json:
        told = {"id": fire.id, "status": ended.details.get("result", str(ended.status)), "run_id": ended.run_id}
        output = ended.details.get("output", "")
        render.out_json({**told, "error": ended.error, "output": output, "cost_usd": ended.cost_usd})
    else:
        render.out(str(ended.details.get("output", "")))
        if ended.error:
            render.talk(f"{ended.status}: {ended.error}", "red")
    return ended.status.exit_code


async def _history(typed: str | None, limit: int, as_json: bool) -> None:
    from akili_cli.bootstrap.heartbeats import open_heartbeat_reader
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        found = [result.as_dict() for result in await open_heartbeat_reader(state).history(typed, limit)]
    if as_json:
        render.out_json(found)
    elif found:
        rows = [
            (
                one["ended_at"],
                f"{one['group']}/{one['name']}",
                one["status"],
                one["duration_s"],
                render.fitting(str(one["error"] or one["summary"]), WIDTH),
            )
            for one in found
        ]
        render.out_table(("ENDED", "TASK", "STATUS", "SECONDS", "WHAT"), rows)
    else:
        render.talk("nothing has run yet")


def _task(spec: TaskSpec, stored: HeartbeatTask | None, default_user: str) -> dict[str, Any]:
    from akili_cli.features.heartbeats.model import spec_dict

    told = {} if stored is None else stored.as_dict()
    return {**told, **spec_dict(spec), "user_id": spec.user or default_user}


def _row(spec: TaskSpec, stored: HeartbeatTask | None, default_user: str) -> tuple[str, ...]:
    from akili_cli.domain.clock import iso

    last = stored.last_run_at if stored is not None else None
    coming = "off" if not spec.enabled else "-" if stored is None else iso(stored.next_run_at)[:16]
    status = "-" if stored is None or stored.last_status is None else str(stored.last_status)
    when = "-" if last is None else iso(last)[:16]
    title = f"{spec.group}/{spec.name}"
    return (title, spec.cron_expression, str(spec.mode), coming, when, status, spec.user or default_user)
