"""A sandbox that tells, for the record, which commands ran in it, and shows each as a span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Literal

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer, Sandbox
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import SandboxError
from akili_cli.domain.ports import Tracer

_executions: ContextVar[list[Execution] | None] = ContextVar("executions", default=None)


@dataclass(frozen=True, slots=True)
class Execution:
    """One command: ``exit_code`` is None when nothing ran (a layer was missing)."""

    type: str
    status: Literal["success", "error", "nonzero_exit", "timeout"]
    exit_code: int | None
    duration_s: float

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@contextmanager
def noting_executions() -> Iterator[list[Execution]]:
    """Collect what runs in the sandbox within the block, also from tasks that are started in it."""
    found: list[Execution] = []
    token = _executions.set(found)
    try:
        yield found
    finally:
        _executions.reset(token)


class WatchedSandbox:
    """Passes everything on to another sandbox of a ``type`` (the word of ``sandbox.type``)."""

    def __init__(self, sandbox: Sandbox, kind: str, tracer: Tracer, clock: Clock) -> None:
        """Keep the parts."""
        self._sandbox = sandbox
        self._kind = kind
        self._tracer = tracer
        self._clock = clock

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        """Run it, and note how it went; raises as the sandbox does."""
        began = self._clock.monotonic()
        with self._tracer.span("sandbox.execute", {"akili.sandbox.type": self._kind}) as span:
            try:
                result = await self._sandbox.run(request, permit)
            except SandboxError:
                _note(Execution(self._kind, "error", None, round(self._clock.monotonic() - began, 6)))
                raise
            span.set({"process.exit.code": result.exit_code, "akili.sandbox.layers": len(result.layers)})
            if result.timed_out:
                span.fail("timeout")
        failed: Literal["success", "nonzero_exit"] = "nonzero_exit" if result.exit_code else "success"
        status: Literal["success", "nonzero_exit", "timeout"] = "timeout" if result.timed_out else failed
        _note(Execution(self._kind, status, result.exit_code, round(result.duration_s, 6)))
        return result

    def layers(self) -> tuple[Layer, ...]:
        """Report each layer, active or not."""
        return self._sandbox.layers()

    async def close(self) -> None:
        """End what is left."""
        await self._sandbox.close()


def _note(execution: Execution) -> None:
    found = _executions.get()
    if found is not None:
        found.append(execution)
