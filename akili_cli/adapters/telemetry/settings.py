"""Settings of what a node shows of itself: ``observability.metrics`` and ``observability.tracing``."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_PATH = re.compile(r"/[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
_TAKEN = ("/v1", "/healthz", "/readyz", "/docs", "/redoc", "/openapi.json", "/static")


def _path(text: str) -> str:
    if not _PATH.fullmatch(text) or ".." in text:
        raise ValueError("must be a plain path that begins with /, as /metrics")
    if any(text == taken or text.startswith(f"{taken}/") for taken in _TAKEN):
        raise ValueError("is a path that the gateway has for something else")
    return text


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// address, as http://localhost:4318")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must hold no credentials, query or fragment")
    return text.rstrip("/")


def is_here(endpoint: str) -> bool:
    """Tell whether an address is on this machine."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class MetricsSettings(BaseModel):
    """``observability.metrics``: a page for Prometheus; it needs no key, so it is off unless asked for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = Field(False, description="serve the metrics page in the gateway, to whoever can reach it")
    path: Annotated[str, StringConstraints(max_length=200), AfterValidator(_path)] = "/metrics"


class TracingSettings(BaseModel):
    """``observability.tracing``: spans for an OpenTelemetry collector; needs the extra ``otel``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = False
    endpoint: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_endpoint)] | None = Field(
        None, description="of the collector, as http://localhost:4318; without a path, /v1/traces is added"
    )
    protocol: Literal["http", "grpc"] = Field("http", description="grpc needs its exporter to be installed")
    service_name: str = Field("akili", min_length=1, max_length=200)
    sample_rate: float = Field(
        1.0, ge=0, le=1, strict=False, description="share of the requests that are traced; 0 is off"
    )
    insecure: bool = Field(False, description="let spans leave this machine without TLS")

    @model_validator(mode="after")
    def _can_be_kept(self) -> TracingSettings:
        if self.enabled and self.endpoint is None:
            raise ValueError("tracing.endpoint is missing; set it, as http://localhost:4318, or tracing.enabled: false")
        plain = self.endpoint is not None and self.endpoint.startswith("http://")
        if plain and not self.insecure and not is_here(str(self.endpoint)):
            raise ValueError("tracing.endpoint is not on this machine and not https://; use https, or insecure: true")
        return self
