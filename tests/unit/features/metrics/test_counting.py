from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from akili_cli.core.audit.model import Kind, Result
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, ToolCall, ToolOutput
from akili_cli.domain.decisions import BUILT_IN, Permit, Verdict
from akili_cli.features.metrics.counting import Counting
from tests.fakes.records import entry_of
from tests.fakes.tools import Change, Look, PathArgs
from tests.fakes.wiring import Bench, open_bench, run_by

ASK = Rule("ask-change", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask first")


class Remembered:
    """Numbers as a test reads them: ``name label=value``."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}

    def add(self, name: str, labels: Mapping[str, str] | None = None, amount: float = 1.0) -> None:
        self.counts[_key(name, labels)] += amount  # type: ignore[assignment] # dollars are no whole numbers

    def took(self, name: str, seconds: float, labels: Mapping[str, str] | None = None) -> None:
        self.times.setdefault(_key(name, labels), []).append(seconds)

    def of(self, name: str) -> dict[str, float]:
        return {key.removeprefix(name).strip(): n for key, n in self.counts.items() if key.split()[0] == name}


def _key(name: str, labels: Mapping[str, str] | None) -> str:
    return " ".join([name, *(f"{label}={value}" for label, value in (labels or {}).items())])


def counting(numbers: Remembered) -> Counting:
    return Counting(numbers, frozenset({"look", "change", "notification_deliver"}))


def seen_by(bench: Bench) -> Remembered:
    numbers = Remembered()
    bench.audit.observer = counting(numbers).observe
    return numbers


async def test_calls_are_counted_by_how_they_ended_and_every_check_once(tmp_path: Path) -> None:
    async def fails(_args: PathArgs, _permit: Permit) -> ToolOutput:
        return ToolOutput("no", ok=False)

    async with open_bench(tmp_path, [Look(), Change(fails)]) as bench:
        numbers = seen_by(bench)
        look = ToolCall("1", "look", {"path": "/a"})
        await bench.pipeline.run(look, run_by())
        await bench.pipeline.run(look, run_by())  # from the cache
        await bench.pipeline.run(ToolCall("2", "change", {"path": "/a"}), run_by())
        await bench.pipeline.run(ToolCall("3", "change", {"path": "/a"}), run_by("vic"))
        await bench.pipeline.run(ToolCall("4", "sing loudly", {}), run_by())
        recorded = [e.record for e in await bench.records() if e.record.kind is Kind.CALL_OUTCOME]
    assert numbers.of("akili_tool_executions") == {
        "tool=look status=success": 1,
        "tool=look status=cache_hit": 1,
        "tool=change status=failure": 1,
        "tool=change status=policy_denied": 1,
        "tool=unknown status=invalid": 1,
    }
    assert sum(numbers.of("akili_tool_executions").values()) == len(recorded)
    assert numbers.of("akili_cache_hits") == {"tool=look": 1}
    checks = numbers.of("akili_security_checks")
    assert checks["check_type=permission result=allowed"] == 3
    assert checks["check_type=permission result=denied"] == 1
    assert checks["check_type=budget_reserve result=allowed"] == 2
    assert len(numbers.times["akili_tool_execution_duration_seconds tool=look"]) == 1
    verdicts = numbers.of("akili_policy_verdicts")
    assert sum(n for labels, n in verdicts.items() if "verdict=allow" in labels) == 3
    assert all("@" not in labels for labels in verdicts)


async def test_approvals_are_counted_from_the_request_to_the_ruling(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Change()], ASK) as bench:
        numbers = seen_by(bench)
        held = [await bench.pipeline.run(ToolCall(n, "change", {"path": f"/{n}"}), run_by()) for n in ("a", "b")]
        assert held[0].approval_id is not None
        assert held[1].approval_id is not None
        await bench.pipeline.resume(held[0].approval_id, Principal("ann"))
        await bench.pipeline.refuse(held[1].approval_id, Principal("ann"))
    assert numbers.of("akili_approvals") == {"outcome=requested": 2, "outcome=approved": 1, "outcome=denied": 1}
    checks = numbers.of("akili_security_checks")
    assert checks["check_type=approval result=allowed"] == 1
    assert checks["check_type=approval result=denied"] == 1


async def test_a_call_that_the_budget_does_not_cover_is_a_denied_reservation(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()], limit_usd=0.000001) as bench:
        numbers = seen_by(bench)
        bench.pipeline.ledger._settings = bench.pipeline.ledger._settings.model_copy(
            update={"tool_prices": {"look": 1}}
        )
        await bench.pipeline.run(ToolCall("1", "look", {"path": "/a"}), run_by())
    assert numbers.of("akili_security_checks")["check_type=budget_reserve result=denied"] == 1


def test_model_calls_are_counted_by_who_was_asked_with_tokens_and_dollars() -> None:
    numbers = Remembered()
    attempts = [
        {"provider": "anthropic", "model": "big", "error": "down"},
        {"provider": "openai", "model": "small", "error": ""},
    ]
    facts = {"provider": "openai", "model": "small", "input_tokens": 10, "output_tokens": 5}
    told = {"parameters": {"attempts": attempts}, "facts": facts, "cost_usd": 0.5, "duration_s": 1.5}
    counting(numbers).observe(entry_of(Kind.MODEL_CALL, Result.SUCCESS, **told))
    assert numbers.of("akili_llm_requests") == {
        "provider=anthropic model=big status=error": 1,
        "provider=openai model=small status=success": 1,
    }
    assert numbers.of("akili_llm_tokens_used") == {
        "provider=openai model=small direction=input": 10,
        "provider=openai model=small direction=output": 5,
    }
    assert numbers.of("akili_budget_spent_usd") == {"user_id=ann": 0.5}
    assert numbers.times == {"akili_llm_request_duration_seconds provider=openai model=small": [1.5]}


@pytest.mark.parametrize(
    ("result", "attempts", "expected"),
    [
        (Result.FAILURE, [], {"provider=p model=m status=error": 1}),
        (Result.FAILURE, [{"provider": "q", "model": "n", "error": "x"}], {"provider=q model=n status=error": 1}),
        (Result.INTERRUPTED, [], {"provider=p model=m status=interrupted": 1}),
        (Result.BUDGET_EXCEEDED, [], {}),
    ],
    ids=["failed", "failed after tries", "interrupted", "not asked"],
)
def test_a_model_call_that_came_to_nothing(result: Result, attempts: list[object], expected: dict[str, float]) -> None:
    numbers = Remembered()
    facts = {"provider": "p", "model": "m"}
    counting(numbers).observe(entry_of(Kind.MODEL_CALL, result, facts=facts, parameters={"attempts": attempts}))
    assert numbers.of("akili_llm_requests") == expected
    denied = numbers.of("akili_security_checks").get("check_type=budget result=denied", 0)
    assert denied == (1 if result is Result.BUDGET_EXCEEDED else 0)


@pytest.mark.parametrize(
    ("tool", "name", "begun"),
    [
        ("cronjob.fire", "akili_scheduler_jobs", "fired"),
        ("alert.check", "akili_alerting_checks", "run"),
        ("heartbeat_task.fire", "akili_heartbeat_tasks", "executed"),
        ("query.run", "akili_queries", "started"),
    ],
)
def test_fires_are_counted_by_their_records(tool: str, name: str, begun: str) -> None:
    numbers = Remembered()
    count = counting(numbers)
    for attempt in (1, 2):  # resumed after a crash: one fire
        count.observe(entry_of(Kind.RUN, Result.STARTED, tool=tool, parameters={"attempt": attempt}))
    for result in (Result.SUCCESS, Result.TIMEOUT, Result.DENIED):
        count.observe(entry_of(Kind.RUN, result, tool=tool, duration_s=2.0, cost_usd=1.0))
    assert numbers.counts[f"{name}_{begun}"] == 1
    assert numbers.counts[f"{name}_succeeded"] == 1
    assert numbers.counts[f"{name}_failed"] == 2
    assert numbers.of("akili_budget_spent_usd") == {}  # its calls were counted already


def test_missed_fires_and_alerts_have_their_own_numbers() -> None:
    numbers = Remembered()
    count = counting(numbers)
    count.observe(entry_of(Kind.RUN, Result.MISSED, tool="cronjob.fire"))
    count.observe(entry_of(Kind.RUN, Result.SUCCESS, tool="alert.check", facts={"found": "alert"}))
    count.observe(entry_of(Kind.RUN, Result.SUCCESS, tool="heartbeat_task.fire", duration_s=7.0))
    assert numbers.counts["akili_scheduler_jobs_missed"] == 1
    assert numbers.counts["akili_alerting_alerts_fired"] == 1
    assert numbers.times == {"akili_heartbeat_task_duration_seconds": [7.0]}


def test_commands_of_the_sandbox_and_sent_messages_are_counted_from_the_calls_record() -> None:
    numbers = Remembered()
    executions = [
        {"type": "process", "status": "success", "exit_code": 0, "duration_s": 0.25},
        {"type": "process", "status": "nonzero_exit", "exit_code": 3, "duration_s": 0.5},
        "nonsense",
    ]
    facts = {"executions": executions, "channel_type": "slack"}
    told = {"tool": "notification_deliver", "facts": facts, "duration_s": 1.0}
    counting(numbers).observe(entry_of(Kind.CALL_OUTCOME, Result.SUCCESS, **told))
    assert numbers.of("akili_sandbox_executions") == {
        "type=process status=success": 1,
        "type=process status=nonzero_exit": 1,
    }
    assert numbers.times["akili_sandbox_execution_duration_seconds type=process"] == [0.25, 0.5]
    assert numbers.of("akili_notifications") == {"channel_type=slack result=success": 1}


def test_anomalies_records_and_looks_are_counted() -> None:
    numbers = Remembered()
    count = counting(numbers)
    count.observe(entry_of(Kind.ANOMALY, Result.NOTICED, tool="anomaly.denial_burst"))
    count.observe(entry_of(Kind.STATE, Result.CHANGED))
    count.ticked("cron", 0.02)
    count.ticked("query", 0.02)
    assert numbers.of("akili_anomalies") == {"kind=denial_burst": 1}
    assert numbers.of("akili_audit_records") == {"kind=anomaly": 1, "kind=state": 1}
    assert numbers.times == {"akili_scheduler_tick_duration_seconds": [0.02]}


def test_an_interrupted_call_of_a_dead_process_is_an_execution_and_no_new_decision() -> None:
    numbers = Remembered()
    told = {"tool": "look", "verdict": "allow", "rule": "r@built-in", "intent": "s-1"}
    counting(numbers).observe(entry_of(Kind.CALL_OUTCOME, Result.INTERRUPTED, **told))
    assert numbers.of("akili_tool_executions") == {"tool=look status=interrupted": 1}
    assert numbers.of("akili_policy_verdicts") == {}


def test_it_names_only_metrics_that_there_are() -> None:
    from akili_cli.adapters.telemetry.metrics import COUNTERS, HISTOGRAMS
    from akili_cli.features.metrics import counting as module

    names = {f"{name}_{end}" for name, begun in module._FIRES.values() for end in (begun, "succeeded", "failed")}
    assert names <= set(COUNTERS)
    assert set(module.TICKS.values()) <= set(HISTOGRAMS)
