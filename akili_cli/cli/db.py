"""``akili db``: look into the workspace's state. Reading only; akili itself is the only writer."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.domain.errors import UsageError

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Look into the workspace's database."
)
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command(help="Run one SELECT on the whole database; :name parameters come from --param name=value.")
def query(
    sql: str,
    param: list[str] = typer.Option([], "--param", "-p", help="name=value; repeatable."),
    as_json: bool = JSON,
) -> None:
    """Query the whole database, every organisation's rows, on a connection that cannot write."""
    params: dict[str, object] = {}
    for text in param:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--param takes name=value, not {text!r}")
        params[name] = value
    _show(run(_query(sql, params)), as_json)


@app.command(help="List the tables and how many rows each holds.")
def tables(as_json: bool = JSON) -> None:
    """List tables."""
    _show(run(_tables()), as_json)


@app.command(help="Print the columns of every table, or of one.")
def schema(table: str | None = typer.Argument(None), as_json: bool = JSON) -> None:
    """Show columns."""
    _show(run(_schema(table)), as_json)


@app.command(help="Write one table to standard output or a file, as CSV or JSON.")
def export(
    table: str,
    kind: str = typer.Option("csv", "--format", help="csv or json."),
    output: Path | None = typer.Option(None, "--output", "-o", help="A file that does not exist yet."),
) -> None:
    """Export a table."""
    if kind not in ("csv", "json"):
        raise UsageError(f"--format is csv or json, not {kind!r}")
    rows = run(_export(table))
    text = _csv(rows) if kind == "csv" else json.dumps(rows, default=str) + "\n"
    if output is None:
        render.raw_out(text)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            output.chmod(0o600)
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    render.talk(f"{len(rows)} rows written to {output}")


@app.command(help="Search the text of runbooks.")
def search(words: str, limit: int = typer.Option(10, "--limit", min=1, max=1000), as_json: bool = JSON) -> None:
    """Search what is indexed for full text."""
    _show(run(_search(words, limit)), as_json)


@app.command(help="Bring the database up to this version, or copy everything into another one; see --to.")
def migrate(
    to: str | None = typer.Option(
        None, "--to", help="postgresql://USER@HOST/DATABASE, sqlite:///PATH, or a reference to one: env://NAME."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="With --to: compare, and change nothing."),
    as_json: bool = JSON,
) -> None:
    """Apply what is missing here, or copy into another database and prove that it arrived."""
    from akili_cli.cli.db_migrate import migrate_here, migrate_to

    if to is not None:
        raise typer.Exit(run(migrate_to(to, dry_run=dry_run, as_json=as_json)))
    if dry_run:
        raise UsageError("--dry-run goes with --to")
    run(migrate_here(as_json=as_json))


@app.command(help="Delete what was over long ago: conversations, resolved approvals, finished runs. Never the audit.")
def prune(
    older_than: str = typer.Option(..., "--older-than", help="Only what was over before: 90d, 36h (a day at least)."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Count, and change nothing."),
    as_json: bool = JSON,
) -> None:
    """Delete old rows; what is open or pending stays."""
    from akili_cli.cli.db_prune import parse_age, prune_older

    run(prune_older(parse_age(older_than), dry_run=dry_run, as_json=as_json))


async def _query(sql: str, params: dict[str, object]) -> list[dict[str, Any]]:
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        return await state.db.read(lambda conn: conn.execute(sql, params))


async def _tables() -> list[dict[str, Any]]:
    from akili_cli.adapters.storage.organizations import rows_of
    from akili_cli.adapters.storage.schema import tables as every_table
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        org = {"org": state.org}
        return await state.db.read(
            lambda conn: [
                {
                    "table": t.name,
                    **conn.execute(f"SELECT count(*) AS rows FROM {t.name} WHERE {rows_of(t.name, t.columns)}", org)[0],  # noqa: S608  # our names
                }
                for t in every_table()
            ]
        )


async def _schema(table: str | None) -> list[dict[str, Any]]:
    from akili_cli.adapters.storage.schema import columns_of, table_names

    known = table_names()
    if table is not None and table not in known:
        raise UsageError(f"there is no table {table!r}", hint=f"tables: {', '.join(known)}")
    return [
        {"table": name, "column": column, "type": kind}
        for name in known
        if table in (None, name)
        for column, kind in columns_of(name).items()
    ]


async def _export(table: str) -> list[dict[str, Any]]:
    from akili_cli.adapters.storage.organizations import rows_of
    from akili_cli.adapters.storage.schema import columns_of, table_names
    from akili_cli.cli.opening import opened_state

    if table not in table_names():
        raise UsageError(f"there is no table {table!r}", hint=f"tables: {', '.join(table_names())}")
    names = ", ".join(columns_of(table))
    sql = f"SELECT {names} FROM {table} WHERE {rows_of(table, columns_of(table))}"  # noqa: S608  # checked above
    async with opened_state() as state:
        return await state.db.read(lambda conn: conn.execute(sql, {"org": state.org}))


async def _search(words: str, limit: int) -> list[dict[str, Any]]:
    from akili_cli.bootstrap.app import open_runbooks
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        await open_runbooks(state).sync()
        rows = await state.db.search("runbook_texts", words, limit, org=state.org)
    return [{name: row[name] for name in ("name", "category", "path", "score")} for row in rows]


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        render.out_json(rows)
    elif not rows:
        render.talk("no rows")
    else:
        render.out_table([str(name) for name in rows[0]], [list(row.values()) for row in rows])


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    if rows:
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return buffer.getvalue()
