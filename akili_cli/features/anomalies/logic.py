"""The rules: what each record adds to them, and what they find. No clock, no waiting: times are the records'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.features.anomalies.model import Anomaly, AnomalyKind
from akili_cli.features.anomalies.settings import AnomalySettings
from akili_cli.features.anomalies.windows import BySubject, Outcomes, Spending, Times, Yeses

MIN_SAMPLES = 5
MIN_SPIKE_USD = 0.01
_ENDED = {
    Result.SUCCESS: False,
    Result.FAILURE: True,
    Result.TIMEOUT: True,
    Result.INTERRUPTED: True,
}
_DENIED = (Result.DENIED, Result.POLICY_DENIED)


class Rules:
    """Looks at one record after the other. Of one kind and subject it speaks once in the cool-down."""

    def __init__(self, settings: AnomalySettings) -> None:
        """Begin with empty windows."""
        self._settings = settings
        window = settings.window_seconds
        self._outcomes: BySubject[Outcomes] = BySubject(lambda: Outcomes(window))
        self._spending: BySubject[Spending] = BySubject(lambda: Spending(window))
        self._denials: BySubject[Times] = BySubject(lambda: Times(window, settings.denial_burst))
        self._yeses: BySubject[Yeses] = BySubject(lambda: Yeses(window, settings.approval_seconds))
        self._said: BySubject[list[float]] = BySubject(list)

    def look(self, entry: AuditEntry) -> list[Anomaly]:
        """Take one entry in; give what is out of the ordinary with it."""
        record = entry.record
        found = [
            *self._error_rates(entry),
            *self._budget_spike(entry),
            *(self._denial_burst(entry) if _is_denial(record) else ()),
            *(self._quick_approvals(entry) if record.kind is Kind.APPROVAL else ()),
        ]
        return [anomaly for anomaly in found if self._is_news(anomaly)]

    def _is_news(self, anomaly: Anomaly) -> bool:
        said = self._said.of(f"{anomaly.kind} {anomaly.subject}")
        if said and 0 <= anomaly.at - said[-1] < self._settings.cooldown_seconds:
            return False
        said[:] = [anomaly.at]
        return True

    def _error_rates(self, entry: AuditEntry) -> Iterator[Anomaly]:
        limit = self._settings.error_rate_threshold
        for operation, failed in _operations(entry.record):
            errors, total = self._outcomes.of(operation).add(entry.at, failed=failed)
            rate = errors / total
            if failed and total >= MIN_SAMPLES and rate > limit:
                said = f"{operation}: {errors} of {total} failed ({rate:.0%}, the limit is {limit:.0%})"
                numbers = {"errors": errors, "total": total, "rate": round(rate, 4), "threshold": limit}
                yield _anomaly(AnomalyKind.ERROR_RATE, operation, said, numbers, entry)

    def _budget_spike(self, entry: AuditEntry) -> Iterator[Anomaly]:
        record, times = entry.record, self._settings.budget_spike_multiplier
        if not record.cost_usd or record.kind not in (Kind.MODEL_CALL, Kind.CALL_OUTCOME):
            return
        now, usual = self._spending.of(record.user).add(entry.at, record.cost_usd)
        if usual is not None and now >= MIN_SPIKE_USD and now > times * usual:
            said = f"{record.user} spent ${now:.4f}; the windows before had ${usual:.4f} on average"
            numbers = {"spent_usd": round(now, 6), "average_usd": round(usual, 6), "multiplier": times}
            yield _anomaly(AnomalyKind.BUDGET_SPIKE, record.user, said, numbers, entry)

    def _denial_burst(self, entry: AuditEntry) -> Iterator[Anomaly]:
        user, count = entry.record.user, self._settings.denial_burst
        if self._denials.of(user).add(entry.at):
            said = f"{user} was refused {count} times within {self._settings.window_seconds} s"
            yield _anomaly(AnomalyKind.DENIAL_BURST, user, said, {"denials": count}, entry)

    def _quick_approvals(self, entry: AuditEntry) -> Iterator[Anomaly]:
        record = entry.record
        approver = record.approved_by
        if not approver or " (grant " in approver:
            return
        if record.result == Result.DENIED:
            self._yeses.of(approver).end()
        elif record.result in (Result.APPROVED, Result.VOTED):
            count = self._yeses.of(approver).add(entry.at, str(record.facts.get("plan", "")))
            if count >= self._settings.approval_burst:
                quick = self._settings.approval_seconds
                said = f"{approver} approved {count} requests in a row, each within {quick:g} s of the one before"
                yield _anomaly(AnomalyKind.QUICK_APPROVALS, approver, said, {"approvals": count}, entry)


def _operations(record: AuditRecord) -> Iterator[tuple[str, bool]]:
    """Give what a record says has ended, and whether it failed: model calls, tools, commands, fires."""
    failed = _ENDED.get(Result(record.result))
    if failed is not None and (record.kind is not Kind.CALL_OUTCOME or record.duration_s is not None):
        match record.kind:
            case Kind.MODEL_CALL:
                yield "llm_request", failed
            case Kind.CALL_OUTCOME:
                yield f"tool_{record.tool}", failed
            case Kind.RUN:
                yield record.tool, failed
            case _:
                pass
    executions = record.facts.get("executions")
    for execution in executions if isinstance(executions, list | tuple) else ():
        if isinstance(execution, Mapping):
            yield f"sandbox_{execution.get('type')}", execution.get("status") in ("error", "timeout")


def _is_denial(record: AuditRecord) -> bool:
    return record.kind is Kind.CALL_OUTCOME and record.result in _DENIED


def _anomaly(kind: AnomalyKind, subject: str, said: str, numbers: Mapping[str, float], entry: AuditEntry) -> Anomaly:
    return Anomaly(
        kind=kind,
        subject=subject,
        said=said,
        numbers=numbers,
        at=entry.at,
        entry=entry.id,
        correlation_id=entry.record.correlation_id,
    )
