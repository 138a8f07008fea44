"""Counts each record of the audit as it becomes durable. There is no other way to be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result

UNKNOWN = "unknown"
DELIVER = "notification_deliver"
_RULINGS = {
    Result.APPROVED: "approved",
    Result.AUTO_APPROVED: "auto_approved",
    Result.AUTONOMOUS_APPROVED: "autonomous_approved",
    Result.DENIED: "denied",
    Result.VOTED: "voted",
}
_FIRES = {
    "cronjob.fire": ("akili_scheduler_jobs", "fired"),
    "alert.check": ("akili_alerting_checks", "run"),
    "heartbeat_task.fire": ("akili_heartbeat_tasks", "executed"),
    "query.run": ("akili_queries", "started"),
}
ANOMALIES = ("error_rate", "budget_spike", "denial_burst", "quick_approvals")
TICKS = {
    "cron": "akili_scheduler_tick_duration_seconds",
    "alert": "akili_alerting_tick_duration_seconds",
    "heartbeat": "akili_heartbeat_tasks_tick_duration_seconds",
}


class Numbers(Protocol):
    """Where numbers are kept: ``adapters.telemetry.metrics.Metrics``."""

    def add(self, name: str, labels: Mapping[str, str] | None = None, amount: float = 1.0) -> None:
        """Count up."""

    def took(self, name: str, seconds: float, labels: Mapping[str, str] | None = None) -> None:
        """Note how long something took."""


@dataclass(frozen=True, slots=True)
class Counting:
    """An observer of the audit. ``tools`` are the tools there are; any other name is a model's text."""

    numbers: Numbers
    tools: frozenset[str]

    def begin(self) -> None:
        """Show what is noticed seldom as nothing from the beginning: a number that appears as 1 is no increase."""
        for kind in ANOMALIES:
            self.numbers.add("akili_anomalies", {"kind": kind}, 0.0)

    def observe(self, entry: AuditEntry) -> None:
        """Count one entry."""
        record = entry.record
        self.numbers.add("akili_audit_records", {"kind": str(record.kind)})
        count = _BY_KIND.get(record.kind)
        if count is not None:
            count(self, record)

    def ticked(self, kind: str, seconds: float) -> None:
        """Note how long a look for due things took."""
        if kind in TICKS:
            self.numbers.took(TICKS[kind], seconds)

    def _intent(self, record: AuditRecord) -> None:
        self._decided(record)
        self._check("budget_reserve", allowed=True)

    def _outcome(self, record: AuditRecord) -> None:
        tool = record.tool if record.tool in self.tools else UNKNOWN
        self.numbers.add("akili_tool_executions", {"tool": tool, "status": record.result})
        if record.duration_s is not None:
            self.numbers.took("akili_tool_execution_duration_seconds", record.duration_s, {"tool": tool})
        elif not record.intent:
            self._refused(record, tool)
        if record.cost_usd:
            self.numbers.add("akili_budget_spent_usd", {"user_id": record.user}, record.cost_usd)
        for execution in _executions(record):
            self._executed(execution)
        if record.tool == DELIVER:
            kind = str(record.facts.get("channel_type") or UNKNOWN)
            self.numbers.add("akili_notifications", {"channel_type": kind, "result": record.result})

    def _refused(self, record: AuditRecord, tool: str) -> None:
        """Count a call of which no intent was recorded: the checks it met end with what is said here."""
        self._decided(record)
        match record.result:
            case Result.CACHE_HIT:
                self.numbers.add("akili_cache_hits", {"tool": tool})
            case Result.BUDGET_EXCEEDED:
                self._check("budget_reserve", allowed=False)
            case Result.APPROVAL_PENDING:
                self._approval("requested")
            case Result.DENIED:
                self._check("approval", allowed=False)
                self._approval("refused")
            case _:
                pass

    def _decided(self, record: AuditRecord) -> None:
        if record.verdict:
            rule = record.rule.partition("@")[0]
            self.numbers.add("akili_policy_verdicts", {"verdict": record.verdict, "rule": rule})
            self._check("permission", allowed=record.result != Result.POLICY_DENIED)

    def _ruled(self, record: AuditRecord) -> None:
        outcome = _RULINGS.get(Result(record.result))
        if outcome is not None:
            self._approval(outcome)
            if outcome != "voted":
                self._check("approval", allowed=outcome != "denied")

    def _asked_model(self, record: AuditRecord) -> None:
        self._check("budget", allowed=record.result != Result.BUDGET_EXCEEDED)
        if record.result == Result.BUDGET_EXCEEDED:
            return
        peer = {name: str(record.facts.get(name) or UNKNOWN) for name in ("provider", "model")}
        failed = [attempt for attempt in _attempts(record) if attempt.get("error")]
        for attempt in failed:
            tried = {name: str(attempt.get(name) or UNKNOWN) for name in ("provider", "model")}
            self.numbers.add("akili_llm_requests", {**tried, "status": "error"})
        if not failed or record.result != Result.FAILURE:
            self.numbers.add("akili_llm_requests", {**peer, "status": _STATUS.get(record.result, record.result)})
        if record.duration_s is not None:
            self.numbers.took("akili_llm_request_duration_seconds", record.duration_s, peer)
        for direction in ("input", "output"):
            tokens = record.facts.get(f"{direction}_tokens")
            if isinstance(tokens, int) and tokens:
                self.numbers.add("akili_llm_tokens_used", {**peer, "direction": direction}, tokens)
        if record.cost_usd:
            self.numbers.add("akili_budget_spent_usd", {"user_id": record.user}, record.cost_usd)

    def _fired(self, record: AuditRecord) -> None:
        if record.tool not in _FIRES:
            return
        name, begun = _FIRES[record.tool]
        if record.result == Result.STARTED:
            if record.parameters.get("attempt") == 1:
                self.numbers.add(f"{name}_{begun}")
            return
        ends = {Result.SUCCESS: "succeeded", Result.MISSED: "missed"}
        ended = ends.get(Result(record.result), "failed")
        if name != "akili_queries" or ended != "missed":
            self.numbers.add(f"{name}_{ended}")
        if record.facts.get("found") == "alert":
            self.numbers.add("akili_alerting_alerts_fired")
        if record.tool == "heartbeat_task.fire" and record.duration_s is not None:
            self.numbers.took("akili_heartbeat_task_duration_seconds", record.duration_s)

    def _noticed(self, record: AuditRecord) -> None:
        self.numbers.add("akili_anomalies", {"kind": record.tool.removeprefix("anomaly.")})

    def _executed(self, execution: Mapping[str, object]) -> None:
        kind = str(execution.get("type") or UNKNOWN)
        self.numbers.add("akili_sandbox_executions", {"type": kind, "status": str(execution.get("status"))})
        seconds = execution.get("duration_s")
        if isinstance(seconds, int | float):
            self.numbers.took("akili_sandbox_execution_duration_seconds", seconds, {"type": kind})

    def _check(self, check: str, *, allowed: bool) -> None:
        result = "allowed" if allowed else "denied"
        self.numbers.add("akili_security_checks", {"check_type": check, "result": result})

    def _approval(self, outcome: str) -> None:
        self.numbers.add("akili_approvals", {"outcome": outcome})


_STATUS: Mapping[str, str] = {Result.SUCCESS: "success", Result.FAILURE: "error"}
_BY_KIND: Mapping[Kind, Callable[[Counting, AuditRecord], None]] = {
    Kind.CALL_INTENT: Counting._intent,  # noqa: SLF001 - its own
    Kind.CALL_OUTCOME: Counting._outcome,  # noqa: SLF001 - its own
    Kind.APPROVAL: Counting._ruled,  # noqa: SLF001 - its own
    Kind.MODEL_CALL: Counting._asked_model,  # noqa: SLF001 - its own
    Kind.RUN: Counting._fired,  # noqa: SLF001 - its own
    Kind.ANOMALY: Counting._noticed,  # noqa: SLF001 - its own
}


def _attempts(record: AuditRecord) -> Iterator[Mapping[str, object]]:
    return _mappings(record.parameters.get("attempts"))


def _executions(record: AuditRecord) -> Iterator[Mapping[str, object]]:
    return _mappings(record.facts.get("executions"))


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    items = value if isinstance(value, list | tuple) else ()
    return (item for item in items if isinstance(item, Mapping))
