"""Policies written as config text, with the judge that decides by them."""

from __future__ import annotations

import os
from pathlib import Path

from akili_cli.bootstrap.policy import build_rules, compiled, role_finder, tool_roots, world_of
from akili_cli.bootstrap.rehearsal import rehearsal_tools
from akili_cli.bootstrap.rulings import Judge
from akili_cli.config.lines import Loaded
from akili_cli.config.load import load_settings
from akili_cli.config.paths import open_workspace, protected_roots

NOON = 1_771_326_000.0
BASE = """\
security:
  user_roles: {ann: operator, vic: viewer}
  roles:
    operator: {permissions: [read_files, write_files, shell_exec, web_search], max_risk_level: medium}
    viewer: {permissions: [read_files], max_risk_level: low}
tools: {file: {allowed_paths: [/srv]}, web: {allowed_domains: [a.example]}}
"""


def config_file(tmp_path: Path, text: str, name: str = "policy.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def loaded_from(tmp_path: Path, text: str) -> Loaded:
    path = config_file(tmp_path, text)
    return load_settings(
        os.environ, config_path=str(path), overrides={}, cwd=tmp_path, workspace=open_workspace(os.environ)
    )


def judge_from(tmp_path: Path, text: str = BASE, *, checked: bool = True) -> Judge:
    loaded, home = loaded_from(tmp_path, text), Path(os.environ["HOME"])
    build = build_rules if checked else compiled
    protected = protected_roots(open_workspace(os.environ), home, loaded.own_places)
    rules = build(loaded, cwd=tmp_path, home=home, protected=protected)
    roots = tool_roots(loaded, cwd=tmp_path, home=home)
    tools = rehearsal_tools(loaded.settings, roots, home=str(home), cwd=str(tmp_path))
    return Judge(tools, rules, role_finder(loaded), lambda: NOON, world_of(loaded, tools))
