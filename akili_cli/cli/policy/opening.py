"""Opens a policy with the tools that tell what calls would do, as one judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from akili_cli.bootstrap.app import State, open_journal
from akili_cli.bootstrap.policy import build_rules, role_finder, tool_roots, world_of
from akili_cli.bootstrap.rehearsal import rehearsal_tools
from akili_cli.bootstrap.rulings import Judge
from akili_cli.cli import opening
from akili_cli.config.lines import Loaded
from akili_cli.config.load import load_settings
from akili_cli.config.paths import protected_roots


def judge_of(state: State, config: Path | None = None) -> Judge:
    """Give the judge of the policy in force, or of another config file; raises ``ConfigError``."""
    loaded = state.loaded if config is None else load_other(state, config)
    cwd, home = state.start.cwd, state.home
    protected = protected_roots(state.workspace, home, loaded.own_places)
    rules = build_rules(loaded, cwd=cwd, home=home, protected=protected)
    images = open_journal(replace(state, loaded=loaded))
    roots = tool_roots(loaded, cwd=cwd, home=home)
    tools = rehearsal_tools(loaded.settings, roots, home=str(home), cwd=str(cwd), images=images)
    return Judge(tools, rules, role_finder(loaded), state.clock.now, world_of(loaded, tools))


def load_other(state: State, config: Path) -> Loaded:
    """Load a config file other than the one in force, with the same environment."""
    began = opening.start()
    return load_settings(began.env, config_path=str(config), overrides={}, cwd=began.cwd, workspace=state.workspace)
