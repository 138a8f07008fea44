from __future__ import annotations

from akili_cli.features.anomalies.model import AnomalyKind


def test_the_rules_have_the_names_that_metrics_and_records_show() -> None:
    assert {str(kind) for kind in AnomalyKind} == {"error_rate", "budget_spike", "denial_burst", "quick_approvals"}
