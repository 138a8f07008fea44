"""``akili config``: the configuration in force, where each value came from, and what is wrong with it."""

from __future__ import annotations

import typer

from akili_cli.cli import render

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Show and check the configuration."
)


@app.command(help="Show every setting in force; secrets are masked.")
def show(
    origin: bool = typer.Option(False, "--origin", help="Say where each value was set."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show settings."""
    from akili_cli.cli.opening import loaded_settings
    from akili_cli.config.schema import show as rows_of

    rows = rows_of(loaded_settings(), origin=origin)
    if as_json:
        render.out_json({row.path: {"value": row.value, "origin": row.origin} if origin else row.value for row in rows})
    elif origin:
        render.out_table(("ORIGIN", "SETTING", "VALUE"), [(row.origin, row.path, row.value) for row in rows])
    else:
        render.out_table(("SETTING", "VALUE"), [(row.path, row.value) for row in rows])


@app.command(help="Check the configuration and its whole policy; exit code 1 when it would refuse to start.")
def check(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Load everything as a run would."""
    from akili_cli.cli.opening import checked_rules

    loaded, rules = checked_rules()
    files = [str(path) for path in loaded.files]
    if as_json:
        render.out_json({"ok": True, "files": files, "rules": len(rules.rules), "warnings": list(loaded.warnings)})
        return
    render.out(f"ok: {', '.join(files) or 'no config file, defaults'}; {len(rules.rules)} rules in force")


@app.command(help="Print the JSON Schema of the configuration.")
def schema() -> None:
    """Print the schema."""
    from akili_cli.config.schema import json_schema

    render.out_json(json_schema())
