"""``akili secrets``: keep, list, forget and check secrets; a value is never printed and never an argument."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.domain.errors import AkiliError, UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.secrets.base import Reference, SecretStore
    from akili_cli.adapters.secrets.chain import SecretChain
    from akili_cli.config.lines import Loaded

T = TypeVar("T")
app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Keep, list, forget and check secrets."
)
PROVIDER = typer.Option("file", "--provider", help="Where it is kept: file (in the workspace) or keyring.")
JSON = typer.Option(False, "--json", help="Print JSON.")
MAX_VALUE_BYTES = 65_536


@app.command("set", help="Keep a secret under a name; the value is asked for, or read from standard input.")
def set_(name: str, provider: str = PROVIDER) -> None:
    """Keep a secret and print its reference."""
    from akili_cli.adapters.secrets.base import stored_name

    loaded, chain = _opened()
    store, value = chain.store(provider), _value(stored_name(name))
    if _opens_the_database(loaded, name, provider):
        reference = _kept_first(store, name, value, provider)
    else:
        reference = run(_recorded("secrets.set", name, provider, lambda: store.put(name, value)))
    render.talk(f"kept {name}; refer to it as")
    render.out(str(reference))


@app.command("list", help="List the references of what was set; no value.")
def list_(as_json: bool = JSON) -> None:
    """List references."""
    chain = _chain()
    found = [str(reference) for reference in chain.listed()]
    if as_json:
        render.out_json([{"reference": one, "tools": _for_tools(chain, one) is None} for one in found])
    elif not found:
        render.talk("nothing was set; see: akili secrets set --help")
    else:
        rows = [(one.rpartition("/")[2], "may" if _for_tools(chain, one) is None else "may not", one) for one in found]
        render.out_table(("NAME", "TOOLS", "REFERENCE"), rows)


@app.command(help="Forget a secret.")
def rm(name: str, provider: str = PROVIDER) -> None:
    """Forget a secret."""
    store = _chain().store(provider)
    run(_recorded("secrets.rm", name, provider, lambda: store.remove(name)))
    render.talk(f"forgot {name}")


@app.command(help="Check that references give a value: one, or everything configured and kept. Exit 1 if any does not.")
def check(
    reference: str | None = typer.Argument(None, metavar="[REF]", help="For example env://DB_PASSWORD."),
    as_json: bool = JSON,
) -> None:
    """Resolve references and say which work; no value."""
    from akili_cli.bootstrap.secrets import configured_references

    loaded, chain = _opened()
    if reference is not None:
        wanted = [reference]
    else:
        kept = [str(one) for one in chain.listed()]
        wanted = list(dict.fromkeys([*configured_references(loaded.settings), *kept]))
    results = [_checked(chain, one) for one in wanted]
    if as_json:
        render.out_json(results)
    else:
        for result in results:
            render.out(f"{'ok    ' if result['ok'] else 'FAILED'}  {result['reference']}  tools {result['tools']}")
            if not result["ok"]:
                render.talk(f"  {result['error']}", "yellow")
        if not results:
            render.talk("no reference is configured and nothing was set")
    raise typer.Exit(0 if all(result["ok"] for result in results) else 1)


def _opens_the_database(loaded: Loaded, name: str, provider: str) -> bool:
    """Tell whether the record cannot be opened without this secret."""
    storage = loaded.settings.storage
    dsn = (storage.postgres.dsn or "") if storage.driver == "postgres" else ""
    return dsn.startswith(f"{provider}://") and dsn.endswith(f"/{name}")


def _kept_first(store: SecretStore, name: str, value: str, provider: str) -> Reference:
    reference = store.put(name, value)
    try:
        run(_recorded("secrets.set", name, provider, lambda: None))
    except AkiliError:
        render.talk(f"kept {name}, but that could not be recorded: the database does not open with it", "yellow")
        raise
    return reference


async def _recorded(verb: str, name: str, provider: str, change: Callable[[], T]) -> T:
    """Record what is about to change, change it, and record how that ended: the name, never the value.

    Raises ``AuditError`` when it cannot be recorded, and then nothing was changed.
    """
    from akili_cli.cli.opening import opened_log, opened_state, principal
    from akili_cli.core.audit.model import AuditRecord, Kind, Result

    me = principal()
    async with opened_state() as state, opened_log(state) as log:
        record = AuditRecord(
            kind=Kind.STATE,
            result=Result.STARTED,
            org=state.org,
            user=me.user,
            source=str(me.source),
            tool=verb,
            parameters={"name": name, "provider": provider},
        )
        await log.append(record)
        try:
            done = change()
        except AkiliError as error:
            await log.append(replace(record, result=Result.FAILURE, error=error.code))
            raise
        await log.append(replace(record, result=Result.CHANGED))
        return done


def _checked(chain: SecretChain, reference: str) -> dict[str, object]:
    try:
        chain.resolve(reference)
    except AkiliError as error:
        shown = reference if "://" in reference else "(not a reference)"
        said = f"{error}; {error.hint}" if error.hint else str(error)
        return {"reference": shown, "ok": False, "tools": "may not", "error": said}
    allowed = _for_tools(chain, reference) is None
    return {"reference": reference, "ok": True, "tools": "may" if allowed else "may not", "error": None}


def _for_tools(chain: SecretChain, reference: str) -> AkiliError | None:
    try:
        chain.check_for_tool(reference)
    except AkiliError as error:
        return error
    return None


def _value(name: str) -> str:
    """Read the value: hidden from a terminal, else from standard input; the line end is left out."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("there is no standard input to read the value from")
    if sys.stdin.isatty():
        import getpass

        value = getpass.getpass(f"value of {name} (not shown): ")
    else:
        data = sys.stdin.buffer.read(MAX_VALUE_BYTES + 1)
        if len(data) > MAX_VALUE_BYTES:
            raise UsageError("the value is larger than 64 KiB")
        try:
            value = data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise UsageError("the value is not text in UTF-8") from None
    if not value.strip() or "\0" in value:
        raise UsageError("the value is empty or cannot be a secret")
    return value


def _chain() -> SecretChain:
    return _opened()[1]


def _opened() -> tuple[Loaded, SecretChain]:
    from akili_cli.bootstrap.secrets import open_secrets
    from akili_cli.cli.egress import redactor
    from akili_cli.cli.opening import loaded_settings
    from akili_cli.config.paths import open_workspace

    loaded, env = loaded_settings(), dict(os.environ)
    return loaded, open_secrets(loaded.settings, env, open_workspace(env), redactor)
