"""``akili policy lint``: what is wrong with the rules as a whole."""

from __future__ import annotations

from akili_cli.bootstrap.policy import compiled, tool_roots, world_of
from akili_cli.bootstrap.rehearsal import rehearsal_tools
from akili_cli.cli import render
from akili_cli.cli.opening import loaded_settings, start
from akili_cli.config.paths import home_of, open_workspace, protected_roots
from akili_cli.core.policy.lint import Level, lint


def lint_policy(as_json: bool) -> int:
    """Print every finding; gives the exit code, 1 when one of them is an error."""
    began, loaded = start(), loaded_settings()
    workspace, home = open_workspace(began.env), home_of(began.env)
    protected = protected_roots(workspace, home, loaded.files)
    rules = compiled(loaded, cwd=began.cwd, home=home, protected=protected)
    roots = tool_roots(loaded, cwd=began.cwd, home=home)
    tools = rehearsal_tools(loaded.settings, roots, home=str(home), cwd=str(began.cwd))
    found = lint(rules.rules, world_of(loaded, tools))
    errors = [one for one in found if one.level is Level.ERROR]
    if as_json:
        render.out_json([{"level": f.level, "rule": f.rule_id, "origin": str(f.origin), "what": f.what} for f in found])
    else:
        for one in found:
            render.out(f"{one.origin}: {one.level}: {one.rule_id}: {one.what}")
        render.talk(f"{len(rules.rules)} rules, {len(errors)} errors, {len(found) - len(errors)} warnings")
    return 1 if errors else 0
