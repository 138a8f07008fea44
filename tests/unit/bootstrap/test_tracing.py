from __future__ import annotations

import sys
from contextlib import AsyncExitStack

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.adapters.telemetry.settings import TracingSettings
from akili_cli.bootstrap.tracing import open_tracer
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.ports import NO_TRACER


def settings(**said: object) -> TracingSettings:
    return TracingSettings.model_validate({"enabled": True, "endpoint": "http://127.0.0.1:9", **said})


@pytest.mark.parametrize("said", [{"enabled": False}, {"sample_rate": 0}], ids=["switched off", "no sample"])
async def test_off_is_off_and_starts_nothing(said: dict[str, object]) -> None:
    async with AsyncExitStack() as stack:
        assert open_tracer(settings(**said), Redactor(), stack) is NO_TRACER


async def test_without_the_packages_it_is_an_error_that_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "akili_cli.adapters.telemetry.tracing", None)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as caught:
            open_tracer(settings(), Redactor(), stack)
    assert "pip install 'akili-cli[otel]'" in caught.value.hint


async def test_grpc_is_refused_with_the_reason_while_its_exporter_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match="protocol is grpc") as caught:
            open_tracer(settings(protocol="grpc"), Redactor(), stack)
    assert "set protocol: http" in caught.value.hint
