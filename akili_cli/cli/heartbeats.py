"""``akili heartbeats``: recurring tasks that stand in Markdown files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_async
from akili_cli.cli.remote import KEY, MIN_TYPED, URL, chosen, part, read_from
from akili_cli.domain.errors import ConflictError, NotFoundError, UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
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
PATH = "/v1/heartbeats"
MAX_PAGE = 200
HEADER = ("TASK", "WHEN", "MODE", "NEXT", "LAST", "RESULT", "USER")


@app.command("list", help="List the tasks that stand in the files now; what is wrong with a file goes to stderr.")
def list_(as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """List tasks."""
    gateway = chosen(gateway_url, api_key)
    run_async(_list(as_json) if gateway is None else _list_there(gateway, as_json))


@app.command(help="Show one task: what its file says now, and what became of it so far.")
def show(task: str = TASK, as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """Show a task."""
    run_async(_show(task, as_json, chosen(gateway_url, api_key)))


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
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Show results."""
    run_async(_history(task, limit, as_json, chosen(gateway_url, api_key)))


async def _list(as_json: bool) -> None:
    from akili_cli.bootstrap.heartbeats import open_heartbeat_reader
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        found = await open_heartbeat_reader(state).overview()
        settings = state.loaded.settings.heartbeat_tasks
    told = [_task(spec, stored, settings.default_user_id) for spec, stored in found.tasks]
    if as_json:
        render.out_json({"tasks": told, "problems": list(found.problems)})
    elif told:
        render.out_table(HEADER, map(_row, told))
    elif not settings.tasks_dirs:
        render.talk("heartbeat_tasks.tasks_dirs names no directory of task files")
    else:
        render.talk("there is no task in the files")
    for problem in () if as_json else found.problems:
        render.talk(problem, "yellow")
    if found.tasks and not settings.enabled and not as_json:
        render.talk("they are not run while heartbeat_tasks.enabled is false; `akili heartbeats run` still does")


async def _list_there(gateway: Gateway, as_json: bool) -> None:
    tasks = await gateway.get(PATH)
    if as_json:
        render.out_json({"tasks": tasks, "problems": []})
    elif tasks:
        with read_from(gateway):
            render.out_table(HEADER, [_row(task) for task in tasks])
    else:
        render.talk("there is no task in the files that you may see")


async def _task_there(gateway: Gateway, typed: str) -> dict[str, Any]:
    """Give the task of this name, group/name, or beginning of an id."""
    with read_from(gateway):
        tasks = [dict(task) for task in await gateway.get(PATH)]
        named = [task for task in tasks if typed in (task["name"], f"{task['group']}/{task['name']}")]
        ids = [task for task in tasks if len(typed) >= MIN_TYPED and task.get("id", "").startswith(typed)]
    found = named or ids
    if len(found) != 1:
        kind = ConflictError if found else NotFoundError
        raise kind(f"{typed[:80]!r} is {'more than one' if found else 'no'} task", hint="see: akili heartbeats list")
    return found[0]


async def _shown(typed: str) -> dict[str, Any]:
    from akili_cli.bootstrap.heartbeats import open_heartbeat_reader
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        spec, stored = await open_heartbeat_reader(state).shown(typed)
        return _task(spec, stored, state.loaded.settings.heartbeat_tasks.default_user_id)


async def _show(typed: str, as_json: bool, gateway: Gateway | None) -> None:
    told = await _shown(typed) if gateway is None else await _task_there(gateway, typed)
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


async def _results(typed: str | None, limit: int) -> list[dict[str, Any]]:
    from akili_cli.bootstrap.heartbeats import open_heartbeat_reader
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        return [result.as_dict() for result in await open_heartbeat_reader(state).history(typed, limit)]


async def _results_there(gateway: Gateway, typed: str | None, limit: int) -> list[dict[str, Any]]:
    if typed is None:
        raise UsageError("name a task: a gateway tells the results of one at a time", hint="see: akili heartbeats list")
    if limit > MAX_PAGE:
        raise UsageError(f"a gateway tells at most {MAX_PAGE} results")
    task = await _task_there(gateway, typed)
    known = task.get("id")
    return [] if known is None else list(await gateway.get(f"{PATH}/{part(str(known))}/history", {"limit": limit}))


async def _history(typed: str | None, limit: int, as_json: bool, gateway: Gateway | None) -> None:
    found = await _results(typed, limit) if gateway is None else await _results_there(gateway, typed, limit)
    if as_json:
        render.out_json(found)
    elif found:
        with read_from(gateway):
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


def _row(task: Mapping[str, Any]) -> tuple[str, ...]:
    coming = task.get("next_run_at", "-")[:16] if task["enabled"] else "off"
    last, status = task.get("last_run_at", "-")[:16], task.get("last_status", "-")
    title = f"{task['group']}/{task['name']}"
    return (title, task["cron_expression"], task["mode"], coming, last, status, task["user_id"])
