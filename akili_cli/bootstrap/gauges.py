"""The numbers that are read when somebody asks for the metrics page."""

from __future__ import annotations

import asyncio
import logging
import platform
from dataclasses import dataclass, field

from akili_cli import __version__
from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.telemetry.metrics import AUDIT_FAILURES, Metrics
from akili_cli.bootstrap.app import App
from akili_cli.bootstrap.ticking import Ticking
from akili_cli.core.approvals import store as approvals
from akili_cli.core.audit import store as audit
from akili_cli.core.schedule import store as fires
from akili_cli.domain.errors import AkiliError

FRESH_S = 1.0
LIMIT_S = 3.0
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Exposition:
    """The metrics page. What comes from the database is read at most once a second, however often it is asked for."""

    app: App
    metrics: Metrics
    ticking: Ticking | None
    _read_at: float | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self) -> None:
        """Show what does not change, and what is counted elsewhere."""
        labels = {"version": __version__, "python": platform.python_version()}
        self.metrics.show_all("akili_build_info", [(labels, 1.0)])
        log = self.app.pipeline.audit
        self.metrics.count_elsewhere(AUDIT_FAILURES, "Records that could not be written", lambda: log.failures)

    async def text(self) -> bytes:
        """Give the page; when the database does not answer in time, old numbers and ``akili_state_readable 0``."""
        now = self.app.state.clock.monotonic
        async with self._reading:
            if self._read_at is None or not 0 <= now() - self._read_at < FRESH_S:
                self.metrics.show("akili_state_readable", float(await self._could_read()))
                self._read_at = now()
            return self.metrics.text()

    async def _could_read(self) -> bool:
        self._show_here()
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._show_layers()
                await self._show_state()
        except TimeoutError:
            _LOG.warning("gauges could not be read: no answer in time")
            return False
        except AkiliError as error:
            _LOG.warning("gauges could not be read: %s", error)
            return False
        return True

    def _show_here(self) -> None:
        at = None if self.ticking is None else self.ticking.ticker.ticked_at
        if at is not None:
            self.metrics.show("akili_ticker_last_tick_age_seconds", self.app.state.clock.monotonic() - at)

    async def _show_layers(self) -> None:
        layers = await asyncio.to_thread(self.app.sandbox.layers)
        self.metrics.show_all(
            "akili_sandbox_layer_active", [({"layer": layer.name}, float(layer.active)) for layer in layers]
        )

    async def _show_state(self) -> None:
        state, stream = self.app.state, self.app.pipeline.audit.stream
        now = state.clock.now()

        def read(connection: Connection) -> tuple[list[tuple[str, str, int]], int, int]:
            head = audit.head(connection, stream)
            return (
                fires.count_open(connection, state.org),
                approvals.count_pending(connection, state.org, now),
                0 if head is None else int(str(head["count"])),
            )

        counted, waiting, written = await state.db.read(read)
        lag = 0.0 if self.ticking is None else await self.ticking.ticker.lag_s()
        self.metrics.show_all(
            "akili_fires_open", [({"kind": kind, "status": status}, n) for kind, status, n in counted]
        )
        self.metrics.show("akili_active_runs", sum(n for _, status, n in counted if status == "running"))
        self.metrics.show("akili_approvals_waiting", waiting)
        self.metrics.show("akili_audit_stream_records", written)
        self.metrics.show("akili_ticker_lag_seconds", lag)
