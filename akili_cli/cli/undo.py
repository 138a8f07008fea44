"""``akili undo``: put a file or a repository back as it was before akili changed it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.cli.remote import KEY, URL, chosen, only_here, read_from
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.bootstrap.app import State
    from akili_cli.core.undo.journal import Journal
    from akili_cli.core.undo.model import UndoEntry

LIMITS = "what file_write and git_write change is kept; what shell_exec and other tools did cannot be undone"
_SEARCHED, _SHOWN = 200, 50
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Put a file or a repository back as it was before akili changed it.\n\nThe newest change, or the one named."
)
def undo(
    entry_id: str | None = typer.Argument(None, metavar="[ID]", help="Undo entry (or audit id); an undo's undoes it."),
    listing: bool = typer.Option(False, "--list", help="Show what can be undone; change nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Undo one change, through policy, approval and audit like any other call."""
    gateway = chosen(gateway_url, api_key)
    if listing:
        if entry_id is not None:
            raise UsageError("--list takes no id")
        run(_list(as_json, gateway))
    else:
        only_here(gateway, "akili undo without --list")
        raise typer.Exit(run(_undo(entry_id, as_json)))


async def _list(as_json: bool, gateway: Gateway | None) -> None:
    from akili_cli.domain.clock import iso

    rows = await _listed() if gateway is None else await gateway.get("/v1/undo", {"limit": _SHOWN})
    if as_json:
        render.out_json(rows)
        return
    if rows:
        with read_from(gateway):
            table = [
                (r["id"], iso(r["at"]), r["state"], r["tool"], r["undo_of"] or "-", r["path"], r["obstacle"])
                for r in rows
            ]
        render.out_table(("ID", "TIME", "STATE", "TOOL", "UNDOES", "PATH", "WHY NOT"), table)
    else:
        render.talk("nothing to undo")
    render.talk(LIMITS, "dim")


async def _listed() -> list[dict[str, Any]]:
    from akili_cli.bootstrap.app import open_journal
    from akili_cli.cli.opening import opened_state, principal

    me = principal().user
    async with opened_state() as state:
        kept = [entry.as_dict() for entry in await open_journal(state).listing(me)]
        both = [*kept, *await _not_kept(state, me)]
    return sorted(both, key=lambda row: float(str(row["at"])), reverse=True)[:_SHOWN]


async def _not_kept(state: State, user: str) -> list[dict[str, object]]:
    """Give what the user's other calls were allowed to change, by their audit ids: none of it is kept."""
    from akili_cli.core.audit.model import Result
    from akili_cli.core.audit.reader import AuditReader, Search
    from akili_cli.core.undo.model import KEEPING_TOOLS, UndoState

    rows: list[dict[str, object]] = []
    for found in await AuditReader(state.db, state.org).search(Search(user=user, result=Result.INTENT), _SEARCHED):
        record = found.record
        paths = [path for kind in ("writes", "deletes") for path in _texts(record.effects.get(kind))]
        paths = [path for path in paths if not path.startswith("/dev/")]
        others = any(record.effects.get(kind) for kind in ("nodes", "channels", "servers"))
        unknown = record.effects.get("opaque")
        if record.tool in KEEPING_TOOLS or not (paths or unknown or others):
            continue
        row = {"id": found.id, "state": str(UndoState.NOT_KEPT), "tool": record.tool, "at": found.at, "undo_of": None}
        reason = f"{record.tool} keeps nothing of what it changes"
        rows.append({**row, "path": ", ".join(paths) or "(not known)", "why_not": reason, "obstacle": reason})
    return rows


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


async def _undo(entry_id: str | None, as_json: bool) -> int:
    from akili_cli.bootstrap.app import open_journal
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.exits import EXIT_CODES
    from akili_cli.core.agent.report import step_dict
    from akili_cli.core.execution.undoing import undo as undo_entry
    from akili_cli.domain.ids import new_correlation_id

    asker = None
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not as_json:
        from akili_cli.cli.prompt import TerminalAsker

        asker = TerminalAsker()
    async with opened_app(asker) as app_:
        if asker is not None:
            asker.app = app_
        me, journal = principal(), open_journal(app_.state)
        entry = await _chosen(app_.state, journal, me.user, entry_id)
        step = await undo_entry(app_.pipeline, journal, entry, me, new_correlation_id())
    if as_json:
        render.out_json({"entry": entry.id, "path": entry.path, "output": step.text, **step_dict(step)})
    elif step.status == "ok":
        render.out(step.text)
    else:
        render.talk(step.text, "red")
    return EXIT_CODES[step.status]


async def _chosen(state: State, journal: Journal, user: str, typed: str | None) -> UndoEntry:
    """Give the entry that was named, or the newest."""
    from akili_cli.core.audit.reader import AuditReader
    from akili_cli.domain.errors import ConflictError, NotFoundError

    if typed is None:
        entry = await journal.newest(user)
        if entry is None:
            raise NotFoundError(f"{user} has nothing to undo", hint=LIMITS)
        return entry
    try:
        return await journal.find(typed, user)
    except NotFoundError as error:
        try:
            other = await AuditReader(state.db, state.org).get(typed)
        except NotFoundError:
            raise error from None
        what = other.record.tool or other.record.kind
        raise ConflictError(f"{what} ({typed}) left nothing to undo", hint=LIMITS) from None
