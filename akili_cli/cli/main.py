"""The command tree. Commands are imported when they are used, so that ``--help`` stays quick."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "query": ("akili_cli.cli.query", "Ask one question and print the answer."),
    "runbooks": ("akili_cli.cli.runbooks", "List, show, check, play and test runbooks."),
    "approvals": ("akili_cli.cli.approvals", "See what waits for a human, and rule on it."),
    "grants": ("akili_cli.cli.grants", "See and end rulings that stand for a while."),
    "policy": ("akili_cli.cli.policy", "Explain, test, check, compare and prove the policy."),
    "audit": ("akili_cli.cli.audit", "Read the record of every action, and prove it is whole."),
    "undo": ("akili_cli.cli.undo", "Put a file or a repository back as it was before akili changed it."),
    "budget": ("akili_cli.cli.budget", "Show what was spent today and what is left."),
    "cron": ("akili_cli.cli.cron", "Make, change, run and follow recurring jobs."),
    "heartbeats": ("akili_cli.cli.heartbeats", "Check, show, run and follow the tasks in Markdown files."),
    "alerts": ("akili_cli.cli.alerts", "Watch targets and tell people when something changes."),
    "gateway": (
        "akili_cli.cli.gateway",
        "Serve HTTP, and run what is due: cron jobs, heartbeat tasks, alerts, and the messages they send.",
    ),
    "agent": (
        "akili_cli.cli.agent",
        "Take due work from the gateway's database (storage.driver: postgres), on this machine.",
    ),
    "keys": ("akili_cli.cli.keys", "Make, list and revoke API keys."),
    "channels": ("akili_cli.cli.channels", "Say where messages go, try it, and see what was sent."),
    "secrets": ("akili_cli.cli.secrets", "Keep, list, forget and check secrets."),
    "config": ("akili_cli.cli.config", "Show and check the configuration."),
    "db": ("akili_cli.cli.db", "Look into the workspace's database."),
    "sandbox": ("akili_cli.cli.sandbox", "Try what commands can and cannot do."),
    "doctor": ("akili_cli.cli.doctor", "Check this machine, the workspace and every safety layer."),
    "version": ("akili_cli.cli.version", "Print the version."),
}
"""Name -> (module with ``app``, one line of help). A test compares the lines with the real commands."""


class LazyGroup(TyperGroup):
    """Lists commands from the table and imports only the one that is called."""

    def list_commands(self, _ctx: Any) -> list[str]:  # noqa: ANN401  # the parser's own context type is private
        """Give the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  # as above
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, _ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # as above
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:  # noqa: ANN401  # as above
        """Complete command names without importing anything."""
        from typer._click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=line) for name, (_module, line) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found or super().shell_complete(ctx, incomplete)


app = typer.Typer(
    cls=LazyGroup,
    name="akili",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def akili(
    ctx: typer.Context,
    config: str | None = typer.Option(None, "--config", envvar="AKILI_CONFIG", help="Config file (JSON or YAML)."),
    color: str = typer.Option("auto", "--color", help="When to colour: auto, always or never."),
    version: bool = typer.Option(False, "--version", "-V", help="Print the version and exit."),
) -> None:
    """Run operations with a model you do not have to trust: default deny, explicit allow, always auditable.

    Without a command, akili opens a prompt.
    """
    from akili_cli.cli import options

    options.keep(config=config, color=color, command=ctx.invoked_subcommand)
    if version:
        from akili_cli.cli.version import show

        show()
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        raise typer.Exit(importlib.import_module("akili_cli.cli.repl").start())
