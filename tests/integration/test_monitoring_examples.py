"""The files for Prometheus and Grafana speak of metrics that there are, and of commands that there are."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families

from akili_cli.adapters.files.yaml import load_yaml
from akili_cli.adapters.telemetry.metrics import AUDIT_FAILURES, COUNTERS, GAUGES, HISTOGRAMS, Metrics
from akili_cli.cli.main import COMMANDS

HERE = Path(__file__).parents[2] / "examples" / "monitoring"
RULES = load_yaml((HERE / "akili-alerts.yml").read_text(), source="akili-alerts.yml")["groups"][0]["rules"]  # type: ignore[index,call-overload] # read below
DASHBOARD = json.loads((HERE / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_NAME = re.compile(r"\b(?:akili|process)_[a-z_]+\b")
_LABELS = re.compile(r"\b((?:akili|process)_[a-z_]+)\{([^}]*)\}")
_BY = re.compile(r"sum by \(([^)]*)\) \([a-z]+\(([a-z_]+)")
_SHOWN = re.compile(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}")


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield str(rule["alert"]), str(rule["expr"])
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def labels_of(name: str) -> set[str]:
    """Give the labels of a metric by the name of one of its samples."""
    for table in (COUNTERS, HISTOGRAMS, GAUGES):
        for known, told in table.items():
            if name in (known, f"{known}_total", f"{known}_bucket"):
                return {*told[1], "le"} if name.endswith("_bucket") else set(told[1])
    return set()


def known() -> set[str]:
    metrics = Metrics()
    metrics.count_elsewhere(AUDIT_FAILURES, "x", lambda: 0.0)
    families = list(text_string_to_metric_families(metrics.text().decode()))
    names = {sample.name for family in families for sample in family.samples}
    names |= {f"{name}_total" for name in COUNTERS} | {f"{name}_bucket" for name in HISTOGRAMS} | set(GAUGES)
    return names


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_every_metric_in_an_expression_exists_with_its_labels(where: str, expression: str) -> None:
    names = set(_NAME.findall(expression))
    assert names <= known() or where == "AkiliDown", where
    assert names or where == "AkiliDown"
    assert expression.count("(") == expression.count(")")
    for name, labels in _LABELS.findall(expression):
        assert set(re.findall(r"(\w+)(?:=|!=|=~)\"", labels)) <= labels_of(name), where
    for labels, name in _BY.findall(expression):
        assert set(re.split(r", ?", labels)) <= labels_of(name), where


def test_every_metric_of_ours_is_looked_at_by_a_panel_or_a_rule() -> None:
    looked = {name for _, expression in expressions() for name in _NAME.findall(expression)}
    ours = {f"{name}_total" for name in COUNTERS} | {f"{name}_bucket" for name in HISTOGRAMS} | set(GAUGES)
    unseen = {"akili_build_info", "akili_alerting_checks_succeeded_total", "akili_alerting_checks_missed_total"}
    assert ours - looked == unseen | {"akili_heartbeat_tasks_missed_total"}


def test_every_rule_says_how_long_how_bad_and_what_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) >= 10
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert re.fullmatch(r"\d+[smh]", rule["for"]), rule["alert"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_a_rule_shows_only_labels_that_its_expression_keeps() -> None:
    for rule in RULES:
        text = " ".join(rule["annotations"].values())
        kept = {label for name in _NAME.findall(rule["expr"]) for label in labels_of(name)} | {"instance", "value"}
        assert set(_SHOWN.findall(text.replace("$value", "value"))) <= kept, rule["alert"]


def test_the_commands_that_a_rule_names_exist() -> None:
    text = (HERE / "akili-alerts.yml").read_text()
    named = set(re.findall(r"`akili ([a-z]+)(?: ([a-z]+))?", text))
    assert named
    for name, verb in named:
        assert name in COMMANDS, name
        commands = getattr(typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app), "commands", {})
        assert not verb or verb in commands, f"{name} {verb}"


def test_prometheus_reads_the_rules_and_asks_where_akili_answers_by_default() -> None:
    from akili_cli.config.settings import Settings

    config = load_yaml((HERE / "prometheus.yml").read_text(), source="prometheus.yml")
    assert isinstance(config, dict)
    (job,) = config["scrape_configs"]
    settings = Settings.model_validate({})
    assert config["rule_files"] == ["akili-alerts.yml"]
    assert job["metrics_path"] == settings.observability.metrics.path
    assert job["static_configs"] == [{"targets": [settings.gateways.http.listen_addr]}]


def test_the_dashboard_has_a_panel_for_each_group_and_none_on_top_of_another() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert len(rows) == 7
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)
