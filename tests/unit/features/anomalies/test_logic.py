from __future__ import annotations

from collections.abc import Iterable

import pytest

from akili_cli.core.audit.model import AuditEntry, Kind, Result
from akili_cli.features.anomalies.logic import Rules
from akili_cli.features.anomalies.model import Anomaly, AnomalyKind
from akili_cli.features.anomalies.settings import AnomalySettings
from tests.fakes.records import entry_of

T = 1_000_000.0


def found(entries: Iterable[AuditEntry], **settings: object) -> list[Anomaly]:
    rules = Rules(AnomalySettings.model_validate({"enabled": True, **settings}))
    return [anomaly for entry in entries for anomaly in rules.look(entry)]


def call(at: float, result: Result = Result.SUCCESS, **said: object) -> AuditEntry:
    return entry_of(Kind.CALL_OUTCOME, result, at=T + at, **{"tool": "look", "duration_s": 0.1, **said})


def model(at: float, result: Result = Result.SUCCESS, *, usd: float | None = None, user: str = "ann") -> AuditEntry:
    return entry_of(Kind.MODEL_CALL, result, at=T + at, cost_usd=usd, user=user)


def refused(at: float, user: str = "ann", result: Result = Result.POLICY_DENIED) -> AuditEntry:
    return entry_of(Kind.CALL_OUTCOME, result, at=T + at, tool="look", user=user)


def yes(at: float, by: str = "ben", result: Result = Result.APPROVED, plan: str = "") -> AuditEntry:
    return entry_of(Kind.APPROVAL, result, at=T + at, approved_by=by, facts={"plan": plan} if plan else {})


def test_more_errors_than_the_share_are_noticed_from_five_on() -> None:
    assert found([model(n, Result.FAILURE) for n in range(4)]) == []
    (anomaly,) = found([model(n, Result.FAILURE) for n in range(5)])
    assert (anomaly.kind, anomaly.subject) == (AnomalyKind.ERROR_RATE, "llm_request")
    assert anomaly.numbers == {"errors": 5, "total": 5, "rate": 1.0, "threshold": 0.5}


@pytest.mark.parametrize(("errors", "threshold", "noticed"), [(3, 0.5, True), (3, 0.6, False), (2, 0.5, False)])
def test_the_threshold_is_the_settings(errors: int, threshold: float, noticed: bool) -> None:
    entries = [call(n) for n in range(5 - errors)] + [call(5 + n, Result.FAILURE) for n in range(errors)]
    assert bool(found(entries, error_rate_threshold=threshold)) is noticed


def test_errors_of_different_things_and_of_another_window_are_not_added_up() -> None:
    assert found([call(n, Result.FAILURE, tool=f"tool-{n % 3}") for n in range(12)]) == []
    assert found([call(n * 100, Result.FAILURE) for n in range(12)]) == []
    assert len(found([call(n * 100, Result.FAILURE) for n in range(12)], window_seconds=1000)) == 1


def test_refusals_and_what_never_ran_are_no_errors() -> None:
    entries = [call(n, Result.BUDGET_EXCEEDED, duration_s=None) for n in range(9)]
    assert found([*entries, *(call(20 + n, Result.INTERRUPTED, duration_s=None) for n in range(9))]) == []


def test_commands_of_the_sandbox_and_fires_are_operations_too() -> None:
    broken = {"executions": [{"type": "docker", "status": "error", "duration_s": 0.0}]}
    subjects = {anomaly.subject for anomaly in found([call(n, facts=broken) for n in range(6)])}
    assert subjects == {"sandbox_docker"}
    fires = [entry_of(Kind.RUN, Result.TIMEOUT, at=T + n, tool="cronjob.fire") for n in range(6)]
    assert [anomaly.subject for anomaly in found(fires)] == ["cronjob.fire"]
    exits = {"executions": [{"type": "process", "status": "nonzero_exit", "exit_code": 1, "duration_s": 0.1}]}
    assert found([call(n, facts=exits) for n in range(9)]) == []


def test_spending_far_above_a_users_own_usual_is_noticed() -> None:
    usual = [model(n * 60, usd=0.1) for n in range(20)]
    (anomaly,) = found([*usual, model(1260, usd=3.0), model(1261, usd=3.0)])
    assert (anomaly.kind, anomaly.subject) == (AnomalyKind.BUDGET_SPIKE, "ann")
    assert anomaly.numbers["spent_usd"] > 3 * anomaly.numbers["average_usd"]
    assert found([*usual, model(1260, usd=3.0)], budget_spike_multiplier=100) == []


def test_the_first_spending_of_all_is_no_spike_and_nor_are_cents() -> None:
    assert found([model(n, usd=5.0) for n in range(5)]) == []
    assert found([model(n * 60, usd=0.00001) for n in range(20)] + [model(1260, usd=0.009)]) == []


def test_one_users_spending_says_nothing_about_another() -> None:
    usual = [model(n * 60, usd=0.1) for n in range(20)]
    assert found([*usual, model(1260, usd=3.0, user="ben")]) == []


def test_a_fires_cost_is_that_of_its_calls_and_not_counted_again() -> None:
    fires = [entry_of(Kind.RUN, Result.SUCCESS, at=T + n * 60, tool="cronjob.fire", cost_usd=0.1) for n in range(20)]
    last = entry_of(Kind.RUN, Result.SUCCESS, at=T + 1260, tool="cronjob.fire", cost_usd=9.0)
    assert found([*fires, last]) == []


@pytest.mark.parametrize("result", [Result.POLICY_DENIED, Result.DENIED])
def test_a_user_who_is_refused_again_and_again_is_noticed(result: Result) -> None:
    (anomaly,) = found([refused(n, result=result) for n in range(12)])
    assert (anomaly.kind, anomaly.subject, anomaly.numbers) == (AnomalyKind.DENIAL_BURST, "ann", {"denials": 10})
    assert found([refused(n) for n in range(3)], denial_burst=3)
    assert found([refused(n, user=f"u{n % 2}") for n in range(18)]) == []
    assert found([refused(n * 34) for n in range(30)]) == []


def test_one_who_says_yes_without_reading_is_noticed() -> None:
    (anomaly,) = found([yes(n * 2) for n in range(5)])
    assert (anomaly.kind, anomaly.subject, anomaly.numbers) == (AnomalyKind.QUICK_APPROVALS, "ben", {"approvals": 5})
    assert found([yes(n * 2, result=Result.VOTED) for n in range(5)])
    assert found([yes(n * 2) for n in range(3)], approval_burst=3)
    assert found([yes(n * 30) for n in range(9)]) == []
    assert found([yes(n * 30) for n in range(9)], approval_seconds=30)


def test_a_plan_a_grant_and_what_akili_approves_itself_are_no_quick_approvals() -> None:
    assert found([yes(n, plan="plan-1") for n in range(20)]) == []
    assert found([yes(n, by="ben (grant 1234abcd)") for n in range(20)]) == []
    assert found([yes(n, by="", result=Result.AUTO_APPROVED) for n in range(20)]) == []
    nos = [entry for n in range(0, 40, 4) for entry in (yes(n), yes(n + 1), yes(n + 2, result=Result.DENIED))]
    assert found(nos) == []


def test_the_same_is_said_once_in_the_cool_down() -> None:
    entries = [refused(n) for n in range(200)]
    assert len(found(entries, cooldown_seconds=100)) == 2
    assert len(found(entries, cooldown_seconds=900)) == 1
    assert len(found([*entries, *(refused(n, user="eve") for n in range(20))])) == 2


def test_a_finding_leads_to_its_last_record() -> None:
    (anomaly,) = found([refused(n) for n in range(10)])
    assert (anomaly.entry, anomaly.at) == (f"s-{T + 9}", T + 9)


def test_memory_does_not_grow_with_names_or_records() -> None:
    rules = Rules(AnomalySettings.model_validate({"enabled": True}))
    for n in range(3000):
        rules.look(refused(n / 1000, user=f"user-{n}"))
        rules.look(call(n / 1000, Result.FAILURE, tool=f"tool-{n}"))
    assert max(len(rules._denials), len(rules._outcomes), len(rules._said)) <= 500
