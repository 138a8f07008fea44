from __future__ import annotations

import ast

from tests.architecture.source import calls_of, name_of, source_files, tree_of

MAKER = "core/approvals/queue.py"


def test_a_permit_is_made_in_one_place_of_one_file() -> None:
    made = [
        (name_of(path), line)
        for path in source_files()
        for called, line in calls_of(path)
        if called.rpartition(".")[2] == "Permit"
    ]
    assert [name for name, _ in made] == [MAKER], made


def test_no_permit_is_copied_with_other_effects() -> None:
    for path in source_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "replace" and node.args:
                copied = ast.unparse(node.args[0]).lower().rpartition(".")[2]
                changed = {keyword.arg for keyword in node.keywords}
                assert copied not in ("permit", "settled") or changed == {"audit_id"}, f"{name_of(path)}:{node.lineno}"


def test_nothing_goes_round_frozen_values() -> None:
    for path in source_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("object.__setattr__", "object.__new__"):
                assert ast.unparse(node.args[0]) == "self", f"{name_of(path)}:{node.lineno}"


def test_a_tool_runs_in_the_pipeline_alone() -> None:
    for path in source_files():
        for called, line in calls_of(path):
            if called.endswith("tool.run"):
                assert name_of(path) == "core/execution/pipeline.py", f"{name_of(path)}:{line}"


def test_a_decision_becomes_a_call_in_the_pipeline_alone() -> None:
    settlers = {name_of(path) for path in source_files() for called, _ in calls_of(path) if called.endswith(".settle")}
    assert settlers & {"core/execution/pipeline.py"}
    for path in source_files():
        for called, line in calls_of(path):
            if called.endswith(("approvals.settle", "approvals.claimed_permit")):
                assert name_of(path) == "core/execution/pipeline.py", f"{name_of(path)}:{line}"
