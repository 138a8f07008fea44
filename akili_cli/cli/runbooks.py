"""``akili runbooks``: procedures that run without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_coroutine
from akili_cli.cli.remote import KEY, URL, chosen, part, read_from
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="List, show, check, play and test runbooks."
)
JSON = typer.Option(False, "--json", help="Print JSON.")
PATH = "/v1/runbooks"
COLUMNS = ("name", "category", "role", "risk", "steps", "description")


@app.command("list", help="List all runbooks.")
def list_(as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """List runbooks."""
    run_coroutine(_list(as_json, chosen(gateway_url, api_key)))


@app.command(help="Print one runbook.")
def show(name: str, as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """Show a runbook."""
    run_coroutine(_show(name, as_json, chosen(gateway_url, api_key)))


@app.command(help="Check runbooks: schema, tools, headings, recorded outputs; exit code 1 on an error.")
def validate(
    path: list[Path] = typer.Argument(None, help="Files; all known runbooks when none is named."),
    as_json: bool = JSON,
) -> None:
    """Check files."""
    raise typer.Exit(run_coroutine(_validate(path or None, as_json)))


@app.command(help="Play one runbook on this host, step by step, and report.")
def run(
    name: str,
    value: list[str] = typer.Option([], "--input", "-i", help="name=value; repeatable."),
    timeout: float = typer.Option(300.0, "--timeout", min=1, max=86_400, help="Seconds until the run is ended."),
    as_json: bool = JSON,
) -> None:
    """Play a runbook without a model, through the same pipeline as any call."""
    from akili_cli.cli.asking import ask
    from akili_cli.cli.question import Question
    from akili_cli.core.agent.exits import EXIT_CODES

    inputs = tuple(_pair(text) for text in value)
    question = Question(
        message=f"play the runbook {name}",
        timeout_s=timeout,
        output="json" if as_json else "text",
        runbook=name,
        inputs=inputs,
    )
    raise typer.Exit(EXIT_CODES[run_coroutine(ask(question)).status])


@app.command(help="Play runbooks against their recorded outputs; exit code 1 on a difference.")
def test(name: list[str] = typer.Argument(None), as_json: bool = JSON) -> None:
    """Rehearse runbooks."""
    raise typer.Exit(run_coroutine(_test(name or None, as_json)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--input takes name=value, not {text!r}")
    return name, value


async def _list(as_json: bool, gateway: Gateway | None) -> None:
    rows = await _lines() if gateway is None else await gateway.get(PATH)
    if as_json:
        render.out_json(rows)
        return
    with read_from(gateway):
        table = [[row[name] for name in COLUMNS] for row in rows]
    render.out_table([name.upper() for name in COLUMNS], table)


async def _lines() -> list[dict[str, Any]]:
    from akili_cli.bootstrap.app import open_runbooks
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        return [one.as_line() for one in open_runbooks(state).list()]


async def _show(name: str, as_json: bool, gateway: Gateway | None) -> None:
    if gateway is None:
        told, text = await _shown(name)
    else:
        told = await gateway.get(f"{PATH}/{part(name)}")
        with read_from(gateway):
            text = str(told["body"])  # a gateway gives no file as it is written
    if as_json:
        render.out_json(told)
    else:
        render.out_markdown(text)


async def _shown(name: str) -> tuple[dict[str, object], str]:
    """Give a runbook as data, and its file as it is written."""
    from akili_cli.bootstrap.app import open_runbooks
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        one = open_runbooks(state).show(name)
    front = one.front.model_dump(mode="json")
    told: dict[str, object] = {"name": one.slug, "path": one.path, "front_matter": front, "body": one.body}
    return told, Path(one.path).read_text(encoding="utf-8")


async def _validate(paths: list[Path] | None, as_json: bool) -> int:
    from akili_cli.bootstrap.app import open_runbooks
    from akili_cli.bootstrap.tools import TOOL_NAMES
    from akili_cli.cli.opening import opened_state

    for path in paths or ():
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    async with opened_state() as state:
        service = open_runbooks(state)
        problems = service.validate(paths, tools=TOOL_NAMES)
        count = len(paths) if paths else len(service.files())
    errors = [one for one in problems if one.level == "error"]
    if as_json:
        render.out_json([{"path": p.path, "line": p.line, "level": p.level, "text": p.text} for p in problems])
    else:
        for problem in problems:
            render.out(str(problem))
        render.talk(f"{count} runbooks, {len(errors)} errors, {len(problems) - len(errors)} warnings")
    return 1 if errors else 0


async def _test(names: list[str] | None, as_json: bool) -> int:
    from akili_cli.bootstrap.app import open_runbooks
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        service = open_runbooks(state)
        results = [service.test(name) for name in names or service.files()]
    if as_json:
        render.out_json(
            [
                {
                    "runbook": r.slug,
                    "ok": r.ok,
                    "cases": [{"case": c.case, "differences": c.differences} for c in r.cases],
                }
                for r in results
            ]
        )
    else:
        for result in results:
            render.out(f"{'ok  ' if result.ok else 'FAIL'} {result.slug} ({len(result.cases)} cases)")
            for case in result.cases:
                for difference in case.differences:
                    render.out(f"     {case.case}: {difference}")
    return 0 if all(result.ok for result in results) else 1
