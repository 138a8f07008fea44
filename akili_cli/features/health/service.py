"""Runs the checks side by side; together they may take three seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.errors import AkiliError
from akili_cli.features.health.model import Check, CheckResult, Readiness

LIMIT_S = 3.0
MAX_MESSAGE_CHARS = 200
_OK = CheckResult("ok")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthService:
    """Whether the parts of this node work. A check that breaks or takes too long has failed; nothing raises."""

    checks: Mapping[str, Check]
    redactor: Redactor
    limit_s: float = LIMIT_S

    async def readiness(self) -> Readiness:
        """Run every check, all at once, and say how each went, within ``limit_s``."""
        tasks = {name: asyncio.create_task(_ran(check), name=f"check {name}") for name, check in self.checks.items()}
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=self.limit_s)
        finally:
            for task in tasks.values():
                task.cancel()
        return Readiness({name: self._result(name, task) for name, task in tasks.items()})

    def _result(self, name: str, task: asyncio.Task[None]) -> CheckResult:
        if not task.done():
            return self._failed(name, f"no answer within {self.limit_s:g} s")
        if task.cancelled():
            return self._failed(name, "it was cancelled")
        error = task.exception()
        if error is None:
            return _OK
        return self._failed(name, str(error) if isinstance(error, AkiliError) else "internal error; see the log")

    def _failed(self, name: str, why: str) -> CheckResult:
        said = self.redactor.text(" ".join(why.split()))[:MAX_MESSAGE_CHARS]
        _LOG.warning("not ready: %s", said, extra={"check": name})
        return CheckResult("fail", said)


async def _ran(check: Check) -> None:
    await check()
