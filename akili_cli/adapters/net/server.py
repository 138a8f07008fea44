"""Serves an application over HTTP on a socket that is open already, and ends when it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from akili_cli.adapters.net.patience import PatientProtocol

IDLE_S = 120
"""Seconds that a connection without a request stays open."""

MAX_HEAD_BYTES = 65_536


class _Server(uvicorn.Server):
    """Leaves signals to the supervisor."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """One listener. ``run`` is for the supervisor; cancelling it stops nothing, ``stop_listening`` and ``end`` do."""

    def __init__(self, app: Any, listener: socket.socket) -> None:  # noqa: ANN401  # any ASGI application
        """Keep the parts."""
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections have it from here
        self._listener = listener
        self._config = uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until ``end``."""
        self._server = _Server(self._config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener.dup()]), name="http server")
        await asyncio.shield(self._task)

    def stop_listening(self) -> None:
        """Take no new connections, and end those without a request."""
        self._listener.close()
        self._server.should_exit = True

    async def end(self, *, grace_s: float) -> None:
        """Wait that long for the requests in hand, then cut them off."""
        self.stop_listening()
        if self._task is None:
            return
        _, late = await asyncio.wait([self._task], timeout=grace_s)
        if late:
            for request in list(self._server.server_state.tasks):
                request.cancel()
            await asyncio.wait(late)
