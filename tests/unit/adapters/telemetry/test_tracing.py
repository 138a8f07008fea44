from __future__ import annotations

import asyncio

import pytest

from akili_cli.adapters.telemetry import tracing
from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.adapters.telemetry.settings import TracingSettings
from akili_cli.adapters.telemetry.tracing import OtelTracer, open_tracing
from tests.fakes.otlp import Collector, attributes_of, collecting

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


def opened(collector: Collector, redactor: Redactor | None = None, **said: object) -> OtelTracer:
    settings = TracingSettings.model_validate({"enabled": True, "endpoint": collector.url, **said})
    return open_tracing(settings, redactor or Redactor(), "1.2.3")


async def test_spans_arrive_nested_and_named_at_a_collector() -> None:
    with collecting() as collector:
        tracer = opened(collector, service_name="akili-test")
        token = correlation.set("c" * 16)
        with tracer.span("outer", {"akili.steps": 2}, kind="server"), tracer.span("inner") as inner:
            inner.set({"gen_ai.usage.input_tokens": 7, "akili.cached": True})
        correlation.reset(token)
        await tracer.close()
        outer, inside = collector.one("outer"), collector.one("inner")
        assert collector.paths == ["/v1/traces"]
        assert collector.resource() == {"service.name": "akili-test", "service.version": "1.2.3"}
        assert (inside.trace_id, inside.parent_span_id) == (outer.trace_id, outer.span_id)
        assert attributes_of(outer) == {"akili.correlation_id": "c" * 16, "akili.steps": 2}
        assert attributes_of(inside)["gen_ai.usage.input_tokens"] == 7
        assert (outer.kind, inside.kind) == (outer.SPAN_KIND_SERVER, inside.SPAN_KIND_INTERNAL)


async def test_tasks_that_are_started_in_a_span_stay_below_it() -> None:
    with collecting() as collector:
        tracer = opened(collector)

        async def work() -> None:
            with tracer.span("work"):
                await asyncio.sleep(0)

        with tracer.span("request"):
            await asyncio.gather(work(), work())
        await tracer.close()
        request = collector.one("request")
        assert [span.parent_span_id for span in collector.spans if span.name == "work"] == [request.span_id] * 2


async def test_a_request_that_brings_a_trace_continues_it_and_keeps_its_choice() -> None:
    with collecting() as collector:
        tracer = opened(collector, sample_rate=0.0001)
        with tracer.span("asked for", parent=SAMPLED), tracer.span("below"):
            pass
        with tracer.span("not asked for", parent=UNSAMPLED):
            pass
        await tracer.close()
        assert {span.name for span in collector.spans} == {"asked for", "below"}
        assert {span.trace_id.hex() for span in collector.spans} == {TRACE}


@pytest.mark.parametrize("parent", ["nonsense", "00-0-0-01", SAMPLED[:-1]])
async def test_a_broken_parent_begins_a_trace_of_its_own(parent: str) -> None:
    with collecting() as collector:
        tracer = opened(collector)
        with tracer.span("request", parent=parent):
            pass
        await tracer.close()
        assert collector.one("request").trace_id.hex() != TRACE


async def test_a_failure_is_marked_by_the_name_of_its_error_and_nothing_of_its_text() -> None:
    with collecting() as collector:
        tracer = opened(collector)
        with pytest.raises(ValueError, match="hunter2"), tracer.span("call"):
            raise ValueError("the password is hunter2")
        await tracer.close()
        span = collector.one("call")
        assert attributes_of(span)["error.type"] == "ValueError"
        assert span.status.code == span.status.STATUS_CODE_ERROR
        assert not span.events
        assert "hunter2" not in collector.text()


async def test_a_registered_secret_in_an_attribute_is_redacted_and_long_text_is_cut() -> None:
    redactor = Redactor()
    redactor.register("s3cr3t-value-of-mine", "test")
    with collecting() as collector:
        tracer = opened(collector, redactor)
        with tracer.span("call", {"enduser.id": "s3cr3t-value-of-mine", "long": "x" * 5000}):
            pass
        await tracer.close()
        assert "s3cr3t-value-of-mine" not in collector.text()
        assert len(str(attributes_of(collector.one("call"))["long"])) == 200


async def test_a_collector_that_does_not_answer_holds_the_end_up_for_the_limit_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "FLUSH_S", 0.05)
    with collecting() as collector:
        collector.answers.clear()
        tracer = opened(collector)
        with tracer.span("call"):
            pass
        async with asyncio.timeout(5):
            await tracer.close()
        assert collector.requests == []


async def test_an_endpoint_with_a_path_is_used_as_it_is() -> None:
    with collecting() as collector:
        tracer = open_tracing(
            TracingSettings.model_validate({"enabled": True, "endpoint": f"{collector.url}/otlp/v1/traces"}),
            Redactor(),
            "1",
        )
        with tracer.span("call"):
            pass
        await tracer.close()
        assert collector.paths == ["/otlp/v1/traces"]
