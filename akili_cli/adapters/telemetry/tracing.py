"""Spans by OpenTelemetry, sent in batches to a collector. Imported only when tracing is on."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.adapters.telemetry.settings import TracingSettings
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.ports import NO_ATTRIBUTES, Attributes, SpanKind

FLUSH_S = 5.0
EXPORT_S = 10.0
MAX_CHARS = 200
_GRPC = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
_KINDS = {"internal": trace.SpanKind.INTERNAL, "client": trace.SpanKind.CLIENT, "server": trace.SpanKind.SERVER}


class OtelSpan:
    """One span; texts are redacted and cut."""

    def __init__(self, span: trace.Span, redactor: Redactor) -> None:
        """Keep the span."""
        self._span = span
        self._redactor = redactor

    def set(self, attributes: Attributes) -> None:
        """Say more about it."""
        if self._span.is_recording():
            for name, value in attributes.items():
                self._span.set_attribute(name, self._shown(value))

    def fail(self, reason: str) -> None:
        """Mark it as failed for a reason of one word."""
        self._span.set_status(trace.StatusCode.ERROR)
        self.set({"error.type": reason})

    def _shown(self, value: str | float) -> str | float:
        return self._redactor.text(value)[:MAX_CHARS] if isinstance(value, str) else value


class OtelTracer:
    """Follows requests and sends what it saw; a collector that is away costs nothing but its spans."""

    def __init__(self, exporter: SpanExporter, settings: TracingSettings, redactor: Redactor, version: str) -> None:
        """Begin to export; ``close`` ends that."""
        resource = Resource({"service.name": settings.service_name, "service.version": version})
        sampler = ParentBased(TraceIdRatioBased(settings.sample_rate))
        self._provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("akili", version)
        self._redactor = redactor

    @contextmanager
    def span(
        self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: SpanKind = "internal", parent: str = ""
    ) -> Iterator[OtelSpan]:
        """Open a span below the open one, or else below ``parent``; it names the correlation id."""
        context = _context(parent)
        with self._tracer.start_as_current_span(
            name, context, _KINDS[kind], record_exception=False, set_status_on_exception=False
        ) as started:
            span = OtelSpan(started, self._redactor)
            current = correlation.get()
            span.set({"akili.correlation_id": current, **attributes} if current else attributes)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise

    async def close(self) -> None:
        """Send what is left, for at most five seconds; the rest is lost."""
        ending = threading.Thread(target=self._provider.shutdown, name="end of tracing", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH_S)


def open_tracing(settings: TracingSettings, redactor: Redactor, version: str) -> OtelTracer:
    """Begin to trace; raises ``ConfigError`` when the exporter of ``protocol`` is not installed."""
    return OtelTracer(_exporter(settings), settings, redactor, version)


def _exporter(settings: TracingSettings) -> SpanExporter:
    endpoint = settings.endpoint or ""
    if settings.protocol == "grpc":
        try:
            grpc = importlib.import_module(_GRPC)
        except ImportError as error:
            raise ConfigError(
                "observability.tracing.protocol is grpc, and the exporter for that is not installed",
                hint="set protocol: http, or pip install opentelemetry-exporter-otlp-proto-grpc",
            ) from error
        exporter: SpanExporter = grpc.OTLPSpanExporter(
            endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_S
        )
        return exporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    whole = endpoint if urlsplit(endpoint).path else f"{endpoint}/v1/traces"
    return OTLPSpanExporter(endpoint=whole, timeout=EXPORT_S)


def _context(parent: str) -> Context | None:
    """Give the context of a request's own trace, unless a span is open here already."""
    if not parent or trace.get_current_span().get_span_context().is_valid:
        return None
    return TraceContextTextMapPropagator().extract({"traceparent": parent})
