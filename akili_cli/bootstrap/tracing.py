"""Opens the tracer of a process: the real one only where tracing is on."""

from __future__ import annotations

from contextlib import AsyncExitStack

from akili_cli import __version__
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.adapters.telemetry.settings import TracingSettings
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.ports import NO_TRACER, Tracer


def open_tracer(settings: TracingSettings, redactor: Redactor, stack: AsyncExitStack) -> Tracer:
    """Give a tracer; when the stack ends, what it saw is sent, for at most five seconds.

    A ``sample_rate`` of 0 is off. Raises ``ConfigError`` when tracing is on and the packages for it are missing.
    """
    if not settings.enabled or settings.sample_rate == 0:
        return NO_TRACER
    try:
        from akili_cli.adapters.telemetry.tracing import open_tracing
    except ImportError as error:
        raise ConfigError(
            "observability.tracing is on, and the packages for it are not installed",
            hint="pip install 'akili-cli[otel]', or set observability.tracing.enabled: false",
        ) from error
    tracer = open_tracing(settings, redactor, __version__)
    stack.push_async_callback(tracer.close)
    return tracer
