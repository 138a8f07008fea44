"""A whole run as a collector sees it: model and tool calls below the run, and nothing anybody wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from akili_cli.adapters.telemetry.settings import TracingSettings
from akili_cli.adapters.telemetry.tracing import open_tracing
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Status, ToolCall
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.ports import NoKnowledge
from tests.fakes.models import ScriptedModel, down, use
from tests.fakes.otlp import attributes_of, collecting
from tests.fakes.tools import Change, Look
from tests.fakes.wiring import Bench, open_bench, run_by

ASK = Rule("ask-change", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask first")


def loop_of(bench: Bench, model: ScriptedModel) -> AgentLoop:
    return AgentLoop(
        model=model,
        pipeline=bench.pipeline,
        history=None,
        knowledge=NoKnowledge(),
        settings=AgentSettings.model_validate({}),
        context_tokens=100_000,
        max_tokens=1000,
        timeout_s=5.0,
    )


async def test_a_run_is_one_trace_of_names_and_numbers(tmp_path: Path) -> None:
    model = ScriptedModel((use("look", "/srv/very-private-place"),), "the private answer", price=0.01)
    with collecting() as collector:
        async with open_bench(tmp_path, [Look()], limit_usd=5) as bench:
            settings = TracingSettings.model_validate({"enabled": True, "endpoint": collector.url})
            tracer = open_tracing(settings, bench.redactor, "1")
            bench.pipeline = replace(bench.pipeline, tracer=tracer)
            bench.audit.tracer = tracer
            report = await loop_of(bench, model).run("a private question", run_by())
            await tracer.close()
        assert report.status is Status.OK
        run, tool = collector.one("invoke_agent akili"), collector.one("execute_tool look")
        chats = [span for span in collector.spans if span.name == "chat m1"]
        assert {span.trace_id for span in collector.spans} == {run.trace_id}
        assert {span.parent_span_id for span in (tool, *chats)} == {run.span_id}
        assert attributes_of(run)["akili.correlation_id"] == "c" * 16
        said = attributes_of(chats[0])
        assert (said["gen_ai.operation.name"], said["gen_ai.provider.name"], said["gen_ai.request.model"]) == (
            "chat",
            "scripted",
            "m1",
        )
        assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (10, 5)
        assert attributes_of(tool)["gen_ai.tool.name"] == "look"
        below = {span.name for span in collector.spans if span.parent_span_id == tool.span_id}
        assert below == {"security.check_permission", "security.require_approval", "audit.append"}
        assert "private" not in collector.text()


async def test_a_refusal_and_a_tool_that_is_none_are_marked_and_not_quoted(tmp_path: Path) -> None:
    with collecting() as collector:
        async with open_bench(tmp_path, [Change()], ASK) as bench:
            settings = TracingSettings.model_validate({"enabled": True, "endpoint": collector.url})
            tracer = open_tracing(settings, bench.redactor, "1")
            pipeline = replace(bench.pipeline, tracer=tracer)
            await pipeline.run(ToolCall("1", "change", {"path": "/a"}), run_by("vic"))
            await pipeline.run(ToolCall("2", "tell everybody my secret"), run_by())
            held = await pipeline.run(ToolCall("3", "change", {"path": "/a"}), run_by())
            assert held.approval_id is not None
            await pipeline.resume(held.approval_id, Principal("ann"))
            await tracer.close()
        spans = [span for span in collector.spans if span.name == "execute_tool change"]
        assert [attributes_of(span).get("error.type", "") for span in spans] == ["denied", "", ""]
        assert [attributes_of(span)["akili.status"] for span in spans] == ["denied", "approval_required", "ok"]
        assert attributes_of(collector.one("execute_tool unknown"))["error.type"] == "invalid"
        assert "everybody" not in collector.text()


async def test_a_model_that_fails_marks_its_span(tmp_path: Path) -> None:
    with collecting() as collector:
        async with open_bench(tmp_path, []) as bench:
            settings = TracingSettings.model_validate({"enabled": True, "endpoint": collector.url})
            tracer = open_tracing(settings, bench.redactor, "1")
            bench.pipeline = replace(bench.pipeline, tracer=tracer)
            report = await loop_of(bench, ScriptedModel(down("no such key abc"))).run("hi", run_by())
            await tracer.close()
        assert report.status is Status.FAILED
        assert attributes_of(collector.one("chat m1"))["error.type"] == "ModelError"
        assert attributes_of(collector.one("invoke_agent akili"))["error.type"] == "failed"
        assert "abc" not in collector.text()
