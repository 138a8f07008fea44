"""``akili undo``: put a file or a repository back as it was before akili changed it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.core.execution.pipeline import Pipeline
    from akili_cli.domain.calls import Principal, StepResult

LIMITS = "only changes of files are kept: what shell_exec, web_fetch and other tools did cannot be undone"
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help="Put a file back as it was before akili changed it.\n\nThe newest change, or the one named.")
def undo(
    entry_id: str | None = typer.Argument(None, metavar="[ID]", help="Undo entry (or audit id); an undo's undoes it."),
    listing: bool = typer.Option(False, "--list", help="Show what can be undone; change nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Undo one change, through policy, approval and audit like any other call."""
    if listing:
        if entry_id is not None:
            raise UsageError("--list takes no id")
        run(_list(as_json))
    else:
        raise typer.Exit(run(_undo(entry_id, as_json)))


async def _list(as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_journal
    from akili_cli.cli.opening import opened_state, principal
    from akili_cli.domain.clock import iso

    async with opened_state() as state:
        entries = await open_journal(state).listing(principal().user)
    if as_json:
        render.out_json([entry.as_dict() for entry in entries])
        return
    if entries:
        render.out_table(
            ("ID", "TIME", "STATE", "TOOL", "UNDOES", "PATH"),
            [(e.id, iso(e.at), e.state, e.tool, e.undo_of or "-", e.path) for e in entries],
        )
    else:
        render.talk("nothing to undo")
    render.talk(LIMITS, "dim")


async def restore(
    pipeline: Pipeline, tool: str, arguments: Mapping[str, object], me: Principal, reason: str
) -> StepResult:
    """Put a call of a tool that undoes through the pipeline, as a run of its own."""
    from akili_cli.domain.calls import Run, ToolCall
    from akili_cli.domain.ids import new_correlation_id, new_uuid

    run_ = Run(id=new_uuid(), principal=me, correlation_id=new_correlation_id())
    return await pipeline.run(ToolCall(new_uuid(), tool, arguments), run_, reason=reason)


async def _undo(entry_id: str | None, as_json: bool) -> int:
    from akili_cli.bootstrap.app import open_journal
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.report import EXIT_CODES, step_dict
    from akili_cli.core.audit.reader import AuditReader
    from akili_cli.domain.errors import ConflictError, NotFoundError

    asker = None
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not as_json:
        from akili_cli.cli.prompt import TerminalAsker

        asker = TerminalAsker()
    async with opened_app(asker) as app_:
        if asker is not None:
            asker.app = app_
        me, journal = principal(), open_journal(app_.state)
        if entry_id is None:
            entry = await journal.newest(me.user)
            if entry is None:
                raise NotFoundError(f"{me.user} has nothing to undo", hint=LIMITS)
        else:
            try:
                entry = await journal.find(entry_id, me.user)
            except NotFoundError as error:
                try:
                    other = await AuditReader(app_.state.db, app_.state.org).get(entry_id)
                except NotFoundError:
                    raise error from None
                what = other.record.tool or other.record.kind
                raise ConflictError(f"{what} ({entry_id}) left nothing to undo", hint=LIMITS) from None
        if entry.restored_by == "file_restore":
            await journal.load(entry.id, me.user)
        elif entry.obstacle:
            raise ConflictError(f"{entry.path!r} cannot be undone: {entry.obstacle}")
        where = "repo_path" if entry.restored_by == "git_restore" else "path"
        arguments = {"entry": entry.id, where: entry.path, "current": entry.after, "earlier": entry.before}
        step = await restore(app_.pipeline, entry.restored_by, arguments, me, f"{me.user} asked to undo entry {entry.id}")
    if as_json:
        render.out_json({"entry": entry.id, "path": entry.path, "output": step.text, **step_dict(step)})
    elif step.status == "ok":
        render.out(step.text)
    else:
        render.talk(step.text, "red")
    return EXIT_CODES[step.status]
