"""``akili policy lint``: what is wrong with the rules as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from akili_cli.bootstrap.examples import broken_examples
from akili_cli.bootstrap.policy import compiled, role_finder, tool_roots, world_of
from akili_cli.bootstrap.rehearsal import rehearsal_tools
from akili_cli.bootstrap.rulings import Judge
from akili_cli.cli import render
from akili_cli.cli.opening import loaded_settings, start
from akili_cli.config.lines import Loaded
from akili_cli.config.paths import Workspace, home_of, open_workspace, protected_roots
from akili_cli.core.policy.lint import Level, lint
from akili_cli.domain.clock import SystemClock
from akili_cli.features.runbooks.shipped import shipped_runbooks_dir
from akili_cli.features.runbooks.source import runbook_files, slug_of


def lint_policy(as_json: bool) -> int:
    """Print every finding; gives the exit code, 1 when one of them is an error."""
    began, loaded = start(), loaded_settings()
    workspace, home = open_workspace(began.env), home_of(began.env)
    protected = protected_roots(workspace, home, loaded.own_places)
    rules = compiled(loaded, cwd=began.cwd, home=home, protected=protected)
    roots = tool_roots(loaded, cwd=began.cwd, home=home)
    tools = rehearsal_tools(loaded.settings, roots, home=str(home), cwd=str(began.cwd))
    world = replace(world_of(loaded, tools), skills=_skills(loaded, began.cwd, workspace))
    judge = Judge(tools, rules, role_finder(loaded), SystemClock().now, world)
    broken = broken_examples(loaded.settings.policies.rules, loaded.settings.security, judge, loaded.origins.of)
    found = (*broken, *lint(rules.rules, world))
    errors = [one for one in found if one.level is Level.ERROR]
    if as_json:
        render.out_json([{"level": f.level, "rule": f.rule_id, "origin": str(f.origin), "what": f.what} for f in found])
    else:
        for one in found:
            render.out(f"{one.origin}: {one.level}: {one.rule_id}: {one.what}")
        render.talk(f"{len(rules.rules)} rules, {len(errors)} errors, {len(found) - len(errors)} warnings")
    return 1 if errors else 0


def _skills(loaded: Loaded, cwd: Path, workspace: Workspace) -> frozenset[str]:
    """Name the runbooks there are: rules on skills speak of them."""
    configured = [cwd / directory for directory in loaded.settings.runbooks.directories]
    places = (workspace.runbooks_dir, *configured, shipped_runbooks_dir())
    return frozenset(slug_of(path) for place in places for path in runbook_files(place))
