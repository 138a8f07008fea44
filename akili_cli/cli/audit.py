"""``akili audit``: read the record, and prove that it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.cli.remote import KEY, URL, chosen, read_from
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.bootstrap.app import State
    from akili_cli.core.audit.reader import Search

MAX_TEXT = 1000
MAX_ANCHOR_BYTES = 1 << 26
SINCE = typer.Option(None, "--since", help="Not before: 30m or 24h ago, or an ISO time.")
UNTIL = typer.Option(None, "--until", help="Before: 30m or 24h ago, or an ISO time.")
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
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Show records."""
    gateway = chosen(gateway_url, api_key)
    if gateway is None:
        run(_tail(count, user, tool, result, as_json))
    else:
        asked = {"user": user, "tool": tool, "result": result}
        run(_there(gateway, asked, count, as_json, newest_last=True))


@app.command(help="Find records, newest first.")
def search(
    text: str | None = typer.Argument(None, help="Words that stand anywhere in the record, in any case."),
    user: str | None = typer.Option(None, "--user", help="Only this user's."),
    tool: str | None = typer.Option(None, "--tool", help="Only this tool's."),
    result: str | None = typer.Option(None, "--result", help="Only this result: success, policy_denied ..."),
    rule: str | None = typer.Option(None, "--rule", help="Only where this rule (its id) decided or matched."),
    since: str | None = SINCE,
    until: str | None = UNTIL,
    correlation: str | None = typer.Option(None, "--correlation", help="Only this correlation id."),
    run_id: str | None = typer.Option(None, "--run", help="Only this run."),
    limit: int = typer.Option(50, "--limit", "-n", min=1, max=100_000, help="How many at most."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON record a line."),
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Search records."""
    from akili_cli.core.audit.reader import Search
    from akili_cli.domain.moments import moment

    if text is not None and len(text) > MAX_TEXT:
        raise UsageError(f"the text has more than {MAX_TEXT} characters")
    now = _now()
    wanted = Search(
        text=text,
        user=user,
        tool=tool,
        result=result,
        rule=rule,
        correlation_id=correlation,
        run_id=run_id,
        since=moment(since, now),
        until=moment(until, now),
    )
    gateway = chosen(gateway_url, api_key)
    if gateway is None:
        run(_search(wanted, limit, as_json))
        return
    asked = {name: getattr(wanted, name) for name in ("text", "user", "tool", "result", "rule")}
    asked |= {"correlation_id": correlation, "run_id": run_id, "since": since, "until": until}
    run(_there(gateway, asked, limit, as_json))


@app.command(help="Check every record against the keyed chain; exit code 1 when anything was changed.")
def verify(
    anchor: Path | None = typer.Option(None, "--anchor", help="A file of anchors that was kept elsewhere."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Verify rows, files, order, heads and anchors."""
    raise typer.Exit(0 if run(_verify(_text_of(anchor), as_json)) else 1)


@app.command(help="Print one signed line that says where every stream stands; keep it on another machine.")
def anchor(
    output: Path | None = typer.Option(None, "--output", "-o", help="Append it to this file instead."),
) -> None:
    """Anchor the heads of all streams."""
    run(_anchor(output))


@app.command(help="Write a signed bundle with a verifier that needs neither akili nor the key; see its head.")
def export(
    output: Path = typer.Option(..., "--output", "-o", help="A new directory, or a new file FILE.tar.gz."),
    since: str | None = SINCE,
    until: str | None = UNTIL,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Export records."""
    from akili_cli.domain.moments import moment

    now = _now()
    raise typer.Exit(run(_export(output, moment(since, now), moment(until, now), as_json)))


def _now() -> float:
    from akili_cli.domain.clock import SystemClock

    return SystemClock().now()


def _text_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        if not path.is_file() or path.stat().st_size > MAX_ANCHOR_BYTES:
            raise UsageError(f"{path} is no file of anchors")
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


async def _tail(count: int, user: str | None, tool: str | None, result: str | None, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.reader import AuditReader

    async with opened_state() as state:
        entries = await AuditReader(state.db, state.org).tail(count, user=user, tool=tool, result=result)
    _show([entry.as_dict() for entry in entries], as_json)


async def _search(wanted: Search, limit: int, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.reader import AuditReader

    async with opened_state() as state:
        entries = await AuditReader(state.db, state.org).search(wanted, limit)
    _show([entry.as_dict() for entry in entries], as_json)


async def _there(
    gateway: Gateway, asked: Mapping[str, object], limit: int, as_json: bool, *, newest_last: bool = False
) -> None:
    rows = await gateway.rows("/v1/audit", asked, limit)
    with read_from(gateway):
        _show(rows[::-1] if newest_last else rows, as_json)


def _show(entries: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    from akili_cli.domain.clock import iso

    if as_json:
        for entry in entries:
            render.out_json(entry)
        return
    if not entries:
        render.talk("no records")
        return
    render.out_table(
        ("TIME", "USER", "TOOL", "RESULT", "RULE", "ID"),
        [(iso(e["at"]), e["user"], e["tool"] or "-", e["result"], e.get("rule") or "-", e["id"]) for e in entries],
    )


async def _anchor(output: Path | None) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.anchor import take_anchor
    from akili_cli.core.audit.chain import ChainKey, load_or_create_key

    async with opened_state() as state:
        key = load_or_create_key(state.workspace.audit_key)
        taken = await take_anchor(state.db, key, state.clock, state.org)
    line = taken.line(ChainKey(key))
    if output is None:
        render.raw_out(line + "\n")
        return
    try:
        with output.open("a", encoding="ascii") as file:
            file.write(line + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    render.talk(f"anchored {taken.settled + len(taken.streams)} streams; move {output} to another machine")


async def _export(output: Path, since: float | None, until: float | None, as_json: bool) -> int:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.chain import load_or_create_key
    from akili_cli.core.audit.export import export as write
    from akili_cli.core.audit.verify import verify as check

    async with opened_state() as state:
        key = load_or_create_key(state.workspace.audit_key)
        report = await check(state.db, state.workspace.audit_dir, key, org=state.org)
        done = await write(state.db, key, state.clock, output, report, org=state.org, since=since, until=until)
    if as_json:
        render.out_json(
            {
                "bundle": str(done.bundle),
                "key": str(done.key_file),
                "manifest_sha256": done.manifest_sha256,
                "records": done.records,
                "streams": done.streams,
                "verified": report.ok,
            }
        )
    else:
        render.out_fields(
            {
                "bundle": f"{done.bundle} ({done.records} records in {done.streams} streams)",
                "bundle key": f"{done.key_file}: send it apart; whoever holds it could forge a bundle",
                "manifest": f"SHA-256 {done.manifest_sha256}: keep it apart, it proves the bundle by itself",
            }
        )
    if not report.ok:
        render.talk("the audit is BROKEN: run 'akili audit verify'; the manifest says so too", "red")
    return 0 if report.ok else 1


async def _recover(state: State) -> None:
    """Do and record first what any start would: mend the files of killed processes, and end their intents."""
    from akili_cli.cli.opening import opened_log
    from akili_cli.core.audit import recovery

    if await state.db.read(lambda connection: recovery.abandoned(connection, state.workspace.audit_dir)):
        async with opened_log(state):
            pass


async def _verify(anchors: str | None, as_json: bool) -> bool:
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.audit.anchor import parse_anchors
    from akili_cli.core.audit.chain import load_or_create_key
    from akili_cli.core.audit.verify import verify as check

    async with opened_state() as state:
        key = load_or_create_key(state.workspace.audit_key)
        kept = parse_anchors(anchors, key) if anchors is not None else []
        await _recover(state)
        report = await check(state.db, state.workspace.audit_dir, key, anchors=kept, org=state.org)
    if as_json:
        problems = [{"stream": p.stream, "seq": p.seq, "what": p.what} for p in report.problems]
        render.out_json({"ok": report.ok, "records": report.records, "streams": report.streams, "problems": problems})
        return report.ok
    for problem in report.problems:
        place = problem.stream if problem.seq is None else f"{problem.stream} #{problem.seq}"
        render.out(f"{place}: {problem.what}" if place else problem.what)
    word = "ok" if report.ok else f"BROKEN: {len(report.problems)} problems"
    render.out(f"{word}: {report.records} records in {report.streams} streams")
    return report.ok
