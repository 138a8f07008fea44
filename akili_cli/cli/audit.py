"""``akili audit``: read the record, and prove that it is whole."""

from __future__ import annotations

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Read the record of every action, and prove it is whole.",
)


@app.command(help="Show the newest records, oldest of them first.")
def tail(
    count: int = typer.Option(20, "--lines", "-n", min=1, max=100_000, help="How many."),
    user: str | None = typer.Option(None, "--user", help="Only this user's."),
    tool: str | None = typer.Option(None, "--tool", help="Only this tool's."),
    result: str | None = typer.Option(None, "--result", help="Only this result: success, policy_denied ..."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON record a line."),
) -> None:
    """Show records."""
    run(_tail(count, user, tool, result, as_json))


@app.command(help="Check every record against the keyed chain; exit code 1 when anything was changed.")
def verify(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Verify rows, files, order, heads and anchors."""
    raise typer.Exit(0 if run(_verify(as_json)) else 1)


async def _tail(count: int, user: str | None, tool: str | None, result: str | None, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.reader import AuditReader
    from akili_cli.domain.clock import iso

    async with opened_state() as state:
        entries = await AuditReader(state.db, state.org).tail(count, user=user, tool=tool, result=result)
    if as_json:
        for entry in entries:
            render.out_json(entry.as_dict())
        return
    if not entries:
        render.talk("no records")
        return
    render.out_table(
        ("TIME", "USER", "TOOL", "RESULT", "RULE", "ID"),
        [
            (iso(e.at), e.record.user, e.record.tool or "-", e.record.result, e.record.rule or "-", e.id)
            for e in entries
        ],
    )


async def _verify(as_json: bool) -> bool:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.chain import load_or_create_key
    from akili_cli.core.audit.verify import verify as check

    async with opened_state() as state:
        key = load_or_create_key(state.workspace.audit_key)
        report = await check(state.db, state.workspace.audit_dir, key)
    if as_json:
        problems = [{"stream": p.stream, "seq": p.seq, "what": p.what} for p in report.problems]
        render.out_json({"ok": report.ok, "records": report.records, "streams": report.streams, "problems": problems})
        return report.ok
    for problem in report.problems:
        place = problem.stream if problem.seq is None else f"{problem.stream} #{problem.seq}"
        render.out(f"{place}: {problem.what}")
    word = "ok" if report.ok else f"BROKEN: {len(report.problems)} problems"
    render.out(f"{word}: {report.records} records in {report.streams} streams")
    return report.ok
