"""``akili doctor``: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from akili_cli import __version__
from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.domain.errors import AkiliError

if TYPE_CHECKING:
    from akili_cli.bootstrap.app import State

app = typer.Typer(add_completion=False, rich_markup_mode=None)
Mark = Literal["ok", "missing", "broken"]
INTERRUPTED_SHOWN_S = 7 * 86_400.0
_STYLES = {"ok": "green", "missing": "yellow", "broken": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    area: str
    name: str
    mark: Mark
    detail: str
    fix: str = ""


@app.command(help="Check this machine, the workspace and every safety layer.\n\nExit code 1 when something is broken.")
def doctor(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Report each check, active or not, with the reason and the fix."""
    raise typer.Exit(run(_doctor(as_json)))


async def _doctor(as_json: bool) -> int:
    from akili_cli.cli.opening import opened_state

    findings = [_machine()]
    try:
        async with opened_state() as state:
            findings.append(Finding("workspace", str(state.workspace.root), "ok", "0700, writable"))
            findings += await _checks(state)
    except AkiliError as error:
        findings.append(Finding(error.code, "start", "broken", str(error), error.hint))
    broken = any(finding.mark == "broken" for finding in findings)
    if as_json:
        render.out_json(
            {
                "ok": not broken,
                "version": __version__,
                "checks": [
                    {"area": f.area, "name": f.name, "status": f.mark, "detail": f.detail, "fix": f.fix or None}
                    for f in findings
                ],
            }
        )
    else:
        for finding in findings:
            mark = render.paint(finding.mark.ljust(7), _STYLES[finding.mark], sys.stdout)
            render.out_painted(f"{mark}  {render.safe(f'{finding.area}: {finding.name}: {finding.detail}')}")
            if finding.fix and finding.mark != "ok":
                render.out(f"         fix: {finding.fix}")
    return 1 if broken else 0


def _machine() -> Finding:
    who = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"
    detail = f"akili {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}, {who}"
    return Finding("machine", platform.machine(), "ok", detail)


async def _checks(state: State) -> list[Finding]:
    return [
        _configuration(state),
        await _database(state),
        *_sandbox(state),
        await _audit(state),
        _model(state),
        _runbooks(state),
    ]


async def _database(state: State) -> Finding:
    from akili_cli.adapters.storage.schema import STEPS

    postgres = state.db.dialect == "postgres"
    version = "current_setting('server_version')" if postgres else "sqlite_version()"
    began = state.clock.monotonic()
    found = await state.db.read(lambda connection: connection.execute(f"SELECT {version} AS version"))
    took_ms = (state.clock.monotonic() - began) * 1000
    detail = f"version {found[0]['version']}, answers in {took_ms:.1f} ms, schema step {STEPS[-1].name} ({len(STEPS)})"
    return Finding("database", state.db.dialect, "ok", f"{detail}, organisation {state.org}")


def _configuration(state: State) -> Finding:
    from akili_cli.cli.opening import rules_of

    files = ", ".join(str(path) for path in state.loaded.files) or "no file, defaults"
    try:
        rules = rules_of(state)
    except AkiliError as error:
        return Finding("config", files, "broken", str(error), error.hint)
    return Finding("config", files, "ok", f"{len(rules.rules)} policy rules in force")


def _sandbox(state: State) -> list[Finding]:
    from akili_cli.bootstrap.app import open_sandbox

    settings = state.loaded.settings.sandbox
    required, layers = settings.require, open_sandbox(state).layers()
    if settings.type == "docker" and not any(layer.active for layer in layers):
        return [Finding("sandbox", "docker", "broken", f"no command can run: {layers[0].detail}", layers[0].fix)]
    found = []
    for layer in layers:
        mark: Mark = "ok" if layer.active else "broken" if layer.name in required else "missing"
        found.append(Finding("sandbox", layer.name, mark, layer.detail, layer.fix))
    return found


async def _audit(state: State) -> Finding:
    from akili_cli.core.audit.chain import load_or_create_key
    from akili_cli.core.audit.reader import AuditReader

    reader = AuditReader(state.db, state.org)
    try:
        load_or_create_key(state.workspace.audit_key)
        left = await reader.left_open(state.workspace.audit_dir)
        ended = await reader.interrupted(state.clock.now() - INTERRUPTED_SHOWN_S)
    except AkiliError as error:
        return Finding("audit", "key", "broken", str(error), error.hint)
    if left or ended:
        tools = ", ".join(sorted({entry.record.tool or "unknown" for entry in (*left, *ended)}))
        detail = f"{len(left) + len(ended)} actions ({tools}) were under way when akili was killed in the last 7 days"
        detail = f"{detail}; what became of them is unknown, they were not repeated"
        fix = f"look at what they did: akili audit tail --result {'intent' if left else 'interrupted'}"
        return Finding("audit", "interrupted", "missing", detail, fix)
    return Finding("audit", "chain key", "ok", "present; check the records with: akili audit verify")


def _model(state: State) -> Finding:
    from akili_cli.adapters.llm.open import chosen_provider

    provider = chosen_provider(state.loaded.settings.providers, state.start.env)
    if provider == "builtin":
        detail = "no model is configured: the built-in runbooks answer"
        return Finding("model", "builtin", "ok", detail)
    return Finding("model", provider, "ok", "configured; not called by this check")


def _runbooks(state: State) -> Finding:
    from akili_cli.bootstrap.app import open_runbooks
    from akili_cli.bootstrap.tools import TOOL_NAMES

    service = open_runbooks(state)
    errors = [problem for problem in service.validate(tools=TOOL_NAMES) if problem.level == "error"]
    if errors:
        return Finding("runbooks", errors[0].path, "broken", f"{len(errors)} errors", "akili runbooks validate")
    return Finding("runbooks", "all", "ok", f"{len(service.files())} valid")
