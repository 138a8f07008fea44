"""Runs the checks side by side; together they may take three seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError
from akili_cli.features.health.model import Check, CheckResult, Readiness

LIMIT_S = 3.0
FRESH_S = 1.0
MAX_MESSAGE_CHARS = 200
_OK = CheckResult("ok")
_LOG = logging.getLogger(__name__)


class HealthService:
    """Whether the parts of this node work. A check that breaks or takes too long has failed; nothing raises.

    Whoever asks within a second of somebody else gets the same answer, so that asking often costs nothing.
    """

    def __init__(
        self, checks: Mapping[str, Check], redactor: Redactor, clock: Clock, *, limit_s: float = LIMIT_S
    ) -> None:
        """Keep the checks by their names."""
        self._checks = checks
        self._redactor = redactor
        self._clock = clock
        self._limit_s = limit_s
        self._asking = asyncio.Lock()
        self._known: tuple[float, Readiness] | None = None
        self._said: dict[str, str] = {}

    async def readiness(self) -> Readiness:
        """Run every check, all at once, and say how each went, within the limit."""
        async with self._asking:
            if self._known is None or not 0 <= self._clock.monotonic() - self._known[0] < FRESH_S:
                found = await self._found()
                self._known = (self._clock.monotonic(), found)
            return self._known[1]

    async def _found(self) -> Readiness:
        tasks = {name: asyncio.ensure_future(check()) for name, check in self._checks.items()}
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=self._limit_s)
        finally:
            for task in tasks.values():
                task.cancel()
        return Readiness({name: self._result(name, task) for name, task in tasks.items()})

    def _result(self, name: str, task: asyncio.Future[None]) -> CheckResult:
        if not task.done():
            return self._failed(name, f"no answer within {self._limit_s:g} s")
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            self._said.pop(name, None)
            return _OK
        return self._failed(name, str(error) if isinstance(error, AkiliError) else "internal error; see the log", error)

    def _failed(self, name: str, why: str, error: BaseException | None = None) -> CheckResult:
        """Say it to whoever asked, and to the log once until it changes."""
        said = self._redactor.text(" ".join(why.split()))[:MAX_MESSAGE_CHARS]
        if self._said.get(name) != said:
            self._said[name] = said
            bug = None if error is None or isinstance(error, AkiliError) else error
            _LOG.warning("not ready: %s", said, extra={"check": name}, exc_info=bug)
        return CheckResult("fail", said)
