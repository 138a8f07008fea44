"""``akili gateway``: the node that serves HTTP and ticks, until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import typer

from akili_cli.adapters.net.listen import parse_listen
from akili_cli.cli import options, render
from akili_cli.cli.boundary import run
from akili_cli.domain.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from akili_cli.bootstrap.app import App
    from akili_cli.bootstrap.serving import Serving
    from akili_cli.bootstrap.ticking import Ticking

DRAIN_S = 30.0
app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Serve HTTP, and run what is due: cron jobs, heartbeat tasks, alerts, and the messages they send.",
)


@app.callback(invoke_without_command=True)
def gateway(
    config: str | None = typer.Option(None, "--config", metavar="FILE", help="Read this config file as well."),
    port: str | None = typer.Option(
        None, "--port", metavar="PORT", help="Serve HTTP: 8080 on 127.0.0.1, :8080 on every address, or IP:port."
    ),
    drain: float = typer.Option(
        DRAIN_S,
        "--drain",
        min=0,
        max=3600,
        help="Seconds that running work gets at SIGTERM; the rest is resumed later.",
    ),
) -> None:
    """Run until SIGTERM or Ctrl-C; a second one stops at once."""
    if config is not None:
        options.given.config = config
    run(serve(node=None, drain_s=drain, is_gateway=True, overrides=listen_overrides(port)))


def listen_overrides(port: str | None) -> dict[str, object]:
    """Give the settings that ``--port`` stands for; raises ``UsageError``."""
    if port is None:
        return {}
    where = f"127.0.0.1:{port}" if port.isascii() and port.isdigit() else port
    try:
        parse_listen(where)
    except ConfigError as error:
        raise UsageError(f"--port {error}", hint=error.hint) from error
    return {"gateways.http.enabled": True, "gateways.http.listen_addr": where}


async def serve(
    *, node: str | None, drain_s: float, is_gateway: bool, overrides: dict[str, object] | None = None
) -> None:
    """Tick until a signal says to stop; then work in hand gets ``drain_s`` seconds, and the exit code is 0.

    A gateway serves HTTP, if that is on, and sees to chores as well.
    """
    from akili_cli.bootstrap.heartbeats import heartbeat_files
    from akili_cli.bootstrap.supervisor import Supervisor
    from akili_cli.bootstrap.ticking import open_ticking, switched_on
    from akili_cli.cli.opening import opened_app

    async with AsyncExitStack() as opened:
        app_ = await opened.enter_async_context(opened_app(overrides=overrides))
        kinds = switched_on(app_)
        supervisor = Supervisor(app_.state.clock)
        ticking = await opened.enter_async_context(open_ticking(app_, kinds, node=node, durable=True, drain_s=drain_s))
        serving = await opened.enter_async_context(_served(app_, ticking, drain_s)) if is_gateway else None
        if is_gateway and "heartbeat" in kinds:
            await heartbeat_files(app_).tick(app_.state.clock.now())  # what is in no file any more must not run
        supervisor.add("ticker", ticking.ticker.run)
        for chore in (*ticking.stops, *(ticking.chores if is_gateway else ()), *(serving.chores if serving else ())):
            supervisor.add_chore(chore)
        if serving is not None:
            supervisor.add("http", serving.server.run)
        _say(ticking, kinds, "" if serving is None else serving.url)
        for notice in (*app_.notices, *(serving.warnings if serving else ())):
            render.talk(notice, "dim")
        with supervisor.signals(_at_once):
            await supervisor.run()
            render.talk(f"stopping; work in hand gets {drain_s:g} s")
            await (ticking.close() if serving is None else serving.end())
    render.talk("stopped")


@asynccontextmanager
async def _served(app_: App, ticking: Ticking, drain_s: float) -> AsyncIterator[Serving | None]:
    """Listen, if HTTP is on."""
    if not app_.state.loaded.settings.gateways.http.enabled:
        yield None
        return
    from akili_cli.bootstrap.serving import open_http

    async with open_http(app_, ticking, drain_s=drain_s) as serving:
        yield serving


def _say(ticking: Ticking, kinds: tuple[str, ...], url: str) -> None:
    where = f" and serves {url}" if url else ""
    render.talk(f"node {ticking.node} runs {', '.join(kinds)}{where}; stop it with SIGTERM or Ctrl-C")


def _at_once() -> None:
    """End now: whatever is under way is resumed, or shown as interrupted, by the next node."""
    render.talk("stopped at once")
    os._exit(130)
