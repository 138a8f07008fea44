from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from akili_cli.adapters.telemetry.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metrics, Names


def samples(metrics: Metrics) -> dict[str, float]:
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_every_metric_is_there_from_the_beginning_with_a_word_about_it() -> None:
    families = {family.name: family for family in text_string_to_metric_families(Metrics().text().decode())}
    assert set(COUNTERS) | set(HISTOGRAMS) | set(GAUGES) <= set(families)
    assert all(family.documentation for family in families.values())


def test_there_is_one_name_for_one_thing_and_no_time_of_making() -> None:
    assert not [name for name in samples(Metrics()) if name.endswith("_created")]
    assert all(name.startswith("akili_") for name in (*COUNTERS, *HISTOGRAMS, *GAUGES))


def test_counters_add_up_by_label_and_durations_fall_into_buckets() -> None:
    metrics = Metrics()
    for status in ("success", "success", "failure"):
        metrics.add("akili_tool_executions", {"tool": "look", "status": status})
    metrics.add("akili_budget_spent_usd", {"user_id": "ann"}, 0.25)
    metrics.took("akili_tool_execution_duration_seconds", 0.3, {"tool": "look"})
    metrics.move("akili_active_requests", 2)
    metrics.move("akili_active_requests", -1)
    found = samples(metrics)
    assert found["akili_tool_executions_total{'status': 'success', 'tool': 'look'}"] == 2
    assert found["akili_budget_spent_usd_total{'user_id': 'ann'}"] == 0.25
    assert found["akili_tool_execution_duration_seconds_bucket{'le': '0.5', 'tool': 'look'}"] == 1
    assert found["akili_tool_execution_duration_seconds_bucket{'le': '0.1', 'tool': 'look'}"] == 0
    assert found["akili_active_requests"] == 1


def test_a_label_has_a_bounded_number_of_values_and_the_rest_is_other() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.add("akili_budget_spent_usd", {"user_id": f"user-{number}"}, 1.0)
    spent = {name: value for name, value in samples(metrics).items() if name.startswith("akili_budget_spent")}
    assert len(spent) == 201
    assert spent["akili_budget_spent_usd_total{'user_id': 'other'}"] == 800


def test_names_that_came_in_time_stay_themselves() -> None:
    names = Names(limit=2)
    assert [names.bounded(name) for name in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]


def test_a_gauge_that_is_shown_anew_forgets_what_is_gone() -> None:
    metrics = Metrics()
    metrics.show_all("akili_sandbox_layer_active", [({"layer": "landlock"}, 1.0), ({"layer": "seccomp"}, 0.0)])
    metrics.show_all("akili_sandbox_layer_active", [({"layer": "landlock"}, 0.0)])
    layers = {name: value for name, value in samples(metrics).items() if "layer_active" in name}
    assert layers == {"akili_sandbox_layer_active{'layer': 'landlock'}": 0.0}


def test_what_is_counted_elsewhere_is_read_when_somebody_asks() -> None:
    metrics, failures = Metrics(), [3.0]
    metrics.count_elsewhere("akili_audit_write_failures", "Records that could not be written", lambda: failures[0])
    failures[0] = 4.0
    assert samples(metrics)["akili_audit_write_failures_total"] == 4


def test_two_of_them_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.add("akili_queries_started")
    assert (samples(one)["akili_queries_started_total"], samples(other)["akili_queries_started_total"]) == (1, 0)


def test_a_text_in_a_label_cannot_fake_a_line() -> None:
    metrics = Metrics()
    evil = 'x"} 1\nakili_queries_started_total 999\n#'
    metrics.add("akili_budget_spent_usd", {"user_id": evil}, 1.0)
    (family,) = [
        f for f in text_string_to_metric_families(metrics.text().decode()) if f.name == "akili_budget_spent_usd"
    ]
    assert family.samples[0].labels == {"user_id": evil}
    assert samples(metrics)["akili_queries_started_total"] == 0


def test_a_name_that_is_none_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Metrics().add("akili_nonsense")
