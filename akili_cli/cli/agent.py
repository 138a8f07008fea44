"""``akili agent``: a worker on the gateway's database that takes due work and nothing else."""

from __future__ import annotations

import typer

from akili_cli.cli.boundary import run
from akili_cli.cli.gateway import DRAIN_S, serve

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Take due work from the gateway's database (storage.driver: postgres), on this machine.",
)


@app.callback(invoke_without_command=True)
def agent(
    agent_id: str | None = typer.Option(
        None, "--agent-id", metavar="ID", help="This node's name; unique among those that run. Default: made up."
    ),
    concurrency: int | None = typer.Option(None, "--concurrency", min=1, max=100, help="Jobs side by side."),
    poll_interval: float | None = typer.Option(
        None, "--poll-interval", min=1, max=3600, metavar="S", help="Seconds between two looks for new jobs."
    ),
    drain: float = typer.Option(DRAIN_S, "--drain", min=0, max=3600, help="Seconds that running work gets at SIGTERM."),
) -> None:
    """Work until SIGTERM or Ctrl-C; messages are left to the gateway."""
    overrides: dict[str, object] = {}
    if concurrency is not None:
        overrides["scheduler.max_concurrent_jobs"] = concurrency
    if poll_interval is not None:
        overrides["scheduler.poll_interval_seconds"] = poll_interval
    run(serve(node=agent_id, drain_s=drain, is_gateway=False, overrides=overrides))
