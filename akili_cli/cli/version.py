"""``akili version``."""

from __future__ import annotations

import platform

import typer

from akili_cli import __version__
from akili_cli.cli import render

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def show() -> None:
    """Print the one line of ``--version``."""
    render.out(f"akili {__version__}")


@app.command(help="Print the version.")
def version(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Print akili's version, and with --json Python's and the platform's."""
    if as_json:
        render.out_json({"version": __version__, "python": platform.python_version(), "platform": platform.platform()})
        return
    show()
