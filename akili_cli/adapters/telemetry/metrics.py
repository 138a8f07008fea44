"""Every metric of a node, in a registry of its own. Imported only where the metrics page is on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
MAX_NAMES = 200
_FAST = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30)
_CALLS = (0.1, 0.5, 1, 2, 5, 10, 30, 60)
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_TASKS = (1, 5, 10, 30, 60, 120, 300)

COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "akili_tool_executions": ("Tool calls by how they ended", ("tool", "status")),
    "akili_cache_hits": ("Calls that were answered from the cache", ("tool",)),
    "akili_llm_requests": ("Calls to a model provider, tries included", ("provider", "model", "status")),
    "akili_llm_tokens_used": ("Tokens of model calls", ("provider", "model", "direction")),
    "akili_budget_spent_usd": ("US dollars spent on models and tools", ("user_id",)),
    "akili_security_checks": ("Checks before a call, by what they said", ("check_type", "result")),
    "akili_policy_verdicts": ("Decisions of the policy, by the rule that decided", ("verdict", "rule")),
    "akili_approvals": ("Approvals asked for and ruled on", ("outcome",)),
    "akili_sandbox_executions": ("Commands that ran in the sandbox", ("type", "status")),
    "akili_notifications": ("Tries to send a message, by type of the channel", ("channel_type", "result")),
    "akili_audit_records": ("Records of this process in the audit", ("kind",)),
    "akili_anomalies": ("What was noticed out of the ordinary", ("kind",)),
    "akili_scheduler_jobs_fired": ("Cron jobs begun", ()),
    "akili_scheduler_jobs_succeeded": ("Cron jobs that ended well", ()),
    "akili_scheduler_jobs_failed": ("Cron jobs that did not end well", ()),
    "akili_scheduler_jobs_missed": ("Fire times of cron jobs that never ran", ()),
    "akili_alerting_checks_run": ("Checks of alert rules begun", ()),
    "akili_alerting_checks_succeeded": ("Checks that could tell how their target is", ()),
    "akili_alerting_checks_failed": ("Checks that could not tell", ()),
    "akili_alerting_checks_missed": ("Fire times of alert rules that never ran", ()),
    "akili_alerting_alerts_fired": ("Checks that found their target in alert", ()),
    "akili_heartbeat_tasks_executed": ("Heartbeat tasks begun", ()),
    "akili_heartbeat_tasks_succeeded": ("Heartbeat tasks that ended well", ()),
    "akili_heartbeat_tasks_failed": ("Heartbeat tasks that did not end well", ()),
    "akili_heartbeat_tasks_missed": ("Fire times of heartbeat tasks that never ran", ()),
    "akili_queries_started": ("Questions begun", ()),
    "akili_queries_succeeded": ("Questions that were answered", ()),
    "akili_queries_failed": ("Questions that were refused, stopped, or failed", ()),
    "akili_http_requests": ("Requests to the gateway", ("method", "path", "status_code")),
}
HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...], Sequence[float]]] = {
    "akili_tool_execution_duration_seconds": ("Time of a tool call", ("tool",), _CALLS),
    "akili_llm_request_duration_seconds": ("Time of a model call", ("provider", "model"), _CALLS),
    "akili_sandbox_execution_duration_seconds": ("Time of a command in the sandbox", ("type",), _FAST),
    "akili_scheduler_tick_duration_seconds": ("Time of one look for due cron jobs", (), _FAST),
    "akili_alerting_tick_duration_seconds": ("Time of one look for due alert rules", (), _FAST),
    "akili_heartbeat_tasks_tick_duration_seconds": ("Time of one look for due heartbeat tasks", (), _FAST),
    "akili_heartbeat_task_duration_seconds": ("Time of a heartbeat task", (), _TASKS),
    "akili_http_request_duration_seconds": ("Time of a request to the gateway", ("method", "path"), _REQUESTS),
}
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "akili_active_requests": ("Requests under way", ()),
    "akili_active_runs": ("Runs under way in this organisation, on whatever node", ()),
    "akili_fires_open": ("Fires that wait or run, by kind", ("kind", "status")),
    "akili_approvals_waiting": ("Approvals that wait for a human", ()),
    "akili_ticker_lag_seconds": ("How long the oldest due job has been due", ()),
    "akili_ticker_last_tick_age_seconds": ("Time since the ticker's last round", ()),
    "akili_sandbox_layer_active": ("1 for a layer of the sandbox that holds, 0 for one that is missing", ("layer",)),
    "akili_audit_stream_records": ("Records in this process's audit stream", ()),
    "akili_state_readable": ("1 when the gauges above could be read from the database, 0 when they are old", ()),
    "akili_build_info": ("What runs", ("version", "python")),
}
AUDIT_FAILURES = "akili_audit_write_failures"


class Names:
    """Lets a bounded number of different texts through as they are; whatever comes later is ``other``."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        """Begin with none."""
        self._limit = limit
        self._known: set[str] = set()

    def bounded(self, name: str) -> str:
        """Give the name, or ``other`` once there are too many."""
        if name in self._known:
            return name
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(name)
        return name


class Metrics:
    """Counters, histograms and gauges by name. Label values are bounded: too many of one label become ``other``."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make every metric, so that each is there from the beginning."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # as the package has it
        self.registry = registry or CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._counters = {n: Counter(n, said, labels, registry=self.registry) for n, (said, labels) in COUNTERS.items()}
        self._histograms = {
            name: Histogram(name, said, labels, buckets=buckets, registry=self.registry)
            for name, (said, labels, buckets) in HISTOGRAMS.items()
        }
        self._gauges = {n: Gauge(n, said, labels, registry=self.registry) for n, (said, labels) in GAUGES.items()}
        self._names: dict[str, Names] = {}

    def add(self, name: str, labels: Mapping[str, str] | None = None, amount: float = 1.0) -> None:
        """Count up."""
        counter = self._counters[name]
        (counter.labels(**self._bounded(labels)) if labels else counter).inc(amount)

    def took(self, name: str, seconds: float, labels: Mapping[str, str] | None = None) -> None:
        """Note how long something took."""
        histogram = self._histograms[name]
        (histogram.labels(**self._bounded(labels)) if labels else histogram).observe(seconds)

    def show(self, name: str, value: float) -> None:
        """Set a gauge without labels."""
        self._gauges[name].set(value)

    def move(self, name: str, by: float) -> None:
        """Move a gauge without labels."""
        self._gauges[name].inc(by)

    def show_all(self, name: str, values: Iterable[tuple[Mapping[str, str], float]]) -> None:
        """Set a gauge with labels anew: what is not given is gone."""
        gauge = self._gauges[name]
        gauge.clear()
        for labels, value in values:
            gauge.labels(**self._bounded(labels)).set(value)

    def count_elsewhere(self, name: str, said: str, read: Callable[[], float]) -> None:
        """Show a number that is counted elsewhere, as it is when somebody asks."""
        self.registry.register(_Elsewhere(name, said, read))

    def text(self) -> bytes:
        """Write everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _bounded(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {label: self._names.setdefault(label, Names()).bounded(value) for label, value in labels.items()}


@dataclass(frozen=True, slots=True)
class _Elsewhere(Collector):
    name: str
    said: str
    read: Callable[[], float]

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Give the one number."""
        yield CounterMetricFamily(self.name, self.said, value=self.read())
