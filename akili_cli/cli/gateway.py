"""``akili gateway``: the node that ticks, until it is told to stop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run

if TYPE_CHECKING:
    from akili_cli.bootstrap.ticking import Ticking

DRAIN_S = 30.0
app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Run what is due: cron jobs, heartbeat tasks, and the messages they send.",
)


@app.callback(invoke_without_command=True)
def gateway(
    drain: float = typer.Option(
        DRAIN_S,
        "--drain",
        min=0,
        max=3600,
        help="Seconds that running work gets at SIGTERM; the rest is resumed later.",
    ),
) -> None:
    """Run until SIGTERM or Ctrl-C; a second one stops at once."""
    run(serve(node=None, drain_s=drain, with_chores=True))


async def serve(
    *, node: str | None, drain_s: float, with_chores: bool, overrides: dict[str, object] | None = None
) -> None:
    """Tick until a signal says to stop; then work in hand gets ``drain_s`` seconds, and the exit code is 0."""
    from akili_cli.bootstrap.heartbeats import heartbeat_files
    from akili_cli.bootstrap.supervisor import Supervisor
    from akili_cli.bootstrap.ticking import open_ticking, switched_on
    from akili_cli.cli.opening import opened_app

    async with opened_app(overrides=overrides) as app_:
        kinds = switched_on(app_)
        supervisor = Supervisor(app_.state.clock)
        async with open_ticking(app_, kinds, node=node, durable=True, drain_s=drain_s) as ticking:
            if with_chores and "heartbeat" in kinds:
                await heartbeat_files(app_).tick(app_.state.clock.now())  # what is in no file any more must not run
            supervisor.add("ticker", ticking.ticker.run)
            for chore in ticking.chores if with_chores else ():
                supervisor.add_chore(chore)
            _say(ticking, kinds)
            for notice in app_.notices:
                render.talk(notice, "dim")
            with supervisor.signals(_at_once):
                await supervisor.run()
                render.talk(f"stopping; work in hand gets {drain_s:g} s")
                await ticking.close()
    render.talk("stopped")


def _say(ticking: Ticking, kinds: tuple[str, ...]) -> None:
    render.talk(f"node {ticking.node} runs {', '.join(kinds)}; stop it with SIGTERM or Ctrl-C")


def _at_once() -> None:
    """End now: whatever is under way is resumed, or shown as interrupted, by the next node."""
    render.talk("stopped at once")
    os._exit(130)
