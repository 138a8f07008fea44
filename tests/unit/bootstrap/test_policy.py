from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.bootstrap.policy import build_rules, power_finder, role_finder, tool_roots
from akili_cli.config.lines import Loaded
from akili_cli.config.load import load_settings
from akili_cli.config.paths import open_workspace
from akili_cli.core.approvals.approvers import Power
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.domain.calls import Principal
from akili_cli.domain.decisions import Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, run_of
from tests.fakes.policies import loaded_from

CONFIG = """\
security:
  default_role: operator
  user_roles: {vic: viewer}
  roles:
    operator: {permissions: [read_files, shell_exec], max_risk_level: medium}
    viewer: {permissions: [read_files], max_risk_level: low}
tools:
  file: {allowed_paths: [., ~/data, link]}
policies:
  capabilities:
    narrow: {denied_paths: [link/secret]}
  bindings: {ann: narrow}
  rules:
    - {id: mine, verdict: deny, because: no, match: {tools: [file_read], reads: [~/data/x]}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "work").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path / "real")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("because: no", "because: it is mine"))
    return load_settings(
        os.environ, config_path=str(path), overrides={}, cwd=tmp_path / "work", workspace=open_workspace(os.environ)
    )


def rules_of(loaded: Loaded, tmp_path: Path) -> RuleSet:
    return build_rules(loaded, cwd=tmp_path / "work", home=tmp_path / "home", protected=())


def test_paths_are_resolved_like_effects(loaded: Loaded, tmp_path: Path) -> None:
    roots = tool_roots(loaded, cwd=tmp_path / "work", home=tmp_path / "home")
    assert roots.files == (str(tmp_path / "work"), str(tmp_path / "home" / "data"), str(tmp_path / "real"))
    assert str(roots.origins["file.allowed_paths"]).endswith("config.yaml:8")


def test_a_capability_over_a_link_holds_for_what_it_points_to(loaded: Loaded, tmp_path: Path) -> None:
    read = Effects(reads=(str(tmp_path / "real" / "secret" / "x"),))
    act = action("file_read", read, permission="read_files", risk=Risk.LOW)
    decision = decide(act, rules_of(loaded, tmp_path))
    assert decision.ruling.rule_id == "capability:narrow/denied_paths"
    assert str(decision.ruling.origin).endswith("config.yaml:11")
    other = action("file_read", read, permission="read_files", risk=Risk.LOW, run=run_of("ben"))
    assert decide(other, rules_of(loaded, tmp_path)).verdict is Verdict.ALLOW


def test_an_own_rule_names_its_file_and_line(loaded: Loaded, tmp_path: Path) -> None:
    read = Effects(reads=(str(tmp_path / "home" / "data" / "x"),))
    decision = decide(
        action("file_read", read, permission="read_files", risk=Risk.LOW, run=run_of("ben")), rules_of(loaded, tmp_path)
    )
    assert (decision.verdict, decision.ruling.rule_id) == (Verdict.DENY, "mine")
    assert str(decision.ruling.origin).endswith("config.yaml:14")


def test_roles_are_found_by_user_then_by_default(loaded: Loaded) -> None:
    role_of = role_finder(loaded)
    assert (role_of(Principal("vic")), role_of(Principal("ann")), role_of(Principal(""))) == (
        "viewer",
        "operator",
        "operator",
    )


def test_a_pattern_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    path = tmp_path / "config.yaml"
    path.write_text(
        CONFIG.replace(
            "because: no, match: {tools: [file_read], reads: [~/data/x]}", 'because: x, match: {commands: ["rm \'x"]}'
        )
    )

    def loaded_and_compiled() -> RuleSet:
        workspace = open_workspace(os.environ)
        place = tmp_path / "work"
        return rules_of(
            load_settings(os.environ, config_path=str(path), overrides={}, cwd=place, workspace=workspace), tmp_path
        )

    with pytest.raises(ConfigError):
        loaded_and_compiled()


def test_who_may_rule_from_elsewhere_is_what_the_role_holds_up_to_its_risk(tmp_path: Path) -> None:
    text = """\
security:
  user_roles: {ann: admin, opa: operator, vic: viewer}
  roles:
    admin: {permissions: [approve], max_risk_level: high}
    operator: {permissions: [approve, read_files], max_risk_level: medium}
    viewer: {permissions: [read_files], max_risk_level: critical}
"""
    power = power_finder(loaded_from(tmp_path, text))
    found = {user: power(Principal(user)) for user in ("ann", "opa", "vic", "nobody")}
    assert found == {
        "ann": Power("admin", Risk.HIGH, admin=True),
        "opa": Power("operator", Risk.MEDIUM),
        "vic": Power("viewer"),
        "nobody": Power(),
    }


def test_the_roles_nobody_configured_let_operators_and_admins_rule(tmp_path: Path) -> None:
    power = power_finder(loaded_from(tmp_path, "logging: {level: error}"))
    assert power(Principal("anybody")) == Power("operator", Risk.MEDIUM)
