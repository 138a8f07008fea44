from __future__ import annotations

import ast
from typing import get_args

from akili_cli.cli.policy.entrances import ENTRANCES
from akili_cli.cli.policy.explain import SOURCES
from akili_cli.config.entries import READ_SOURCES
from akili_cli.config.policies import SourceName
from tests.architecture.source import name_of, source_files, tree_of

ELSEWHERE = {"domain/calls.py": "their definition"}
RUNS = {
    "core/agent/loop.py": "behind query, the prompt and runbooks run",
    "core/agent/turn.py": "the loop's own turns",
    "core/execution/pipeline.py": "the pipeline itself",
}
PROVED = {
    "core/execution/undoing.py": ("undo", "undo of git", "http undo", "http undo of git"),
    "gateways/http/rulings.py": ("http approve", "http edit", "http plan apply"),
    "cli/sandbox.py": ("sandbox run",),
    "cli/approvals.py": ("approvals approve", "approvals edit", "plan apply"),
    "cli/repl_commands.py": ("approvals approve", "approvals edit"),
    "features/notifications/worker.py": ("channels test", "http channels test"),
    "features/alerts/checking.py": ("alerts", "alerts of commands", "http alerts test", "http alerts test of commands"),
    "features/heartbeats/precheck.py": ("heartbeats",),
    "cli/policy/entrances.py": (),
    "cli/policy/http_entrances.py": (),
}
DOORS = ("run", "resume", "amend", "apply_plan")


def test_every_source_that_code_can_give_a_call_has_an_entry_point_in_the_table() -> None:
    named = {
        node.attr.lower()
        for path in source_files()
        if name_of(path) not in ELSEWHERE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Source"
    }
    assert named == {str(entrance.source) for entrance in ENTRANCES}


def test_configuration_takes_exactly_the_sources_of_the_table() -> None:
    sources = {str(entrance.source) for entrance in ENTRANCES}
    assert sources == set(get_args(SourceName)) == READ_SOURCES == set(SOURCES)


def test_every_file_that_puts_calls_to_the_pipeline_is_in_the_table() -> None:
    putting = {
        name_of(path)
        for path in source_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(tuple(f"pipeline.{door}" for door in DOORS))
    }
    assert putting - set(RUNS) == set(PROVED)
    assert {name for names in PROVED.values() for name in names} <= {entrance.name for entrance in ENTRANCES}
