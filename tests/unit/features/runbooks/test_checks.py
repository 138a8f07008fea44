from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.features.runbooks.checks import check_runbook
from tests.unit.features.runbooks.samples import runbook_text

HEADINGS = "# T\n\n## Purpose\n\n## When to use\n\n## Procedure\n\n## Expected output\n\n## Escalation\n"
STEP = "id: a\ntool: shell_exec\nwith: {command: ls}"


def problems(tmp_path: Path, text: str, tools: tuple[str, ...] | None = ("shell_exec",)) -> list[str]:
    path = tmp_path / "a.md"
    path.write_text(text)
    return [f"{one.line} {one.level} {one.text}" for one in check_runbook(path, tools)]


def test_a_complete_runbook_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    case = "cases:\n- name: x\n  outputs: {a: {text: x}}\n  expect: {severity: ok}\n"
    (tmp_path / "recorded" / "a.yaml").write_text(case)
    assert problems(tmp_path, runbook_text(STEP, prose=HEADINGS)) == []


@pytest.mark.parametrize(
    ("text", "tools", "what"),
    [
        (runbook_text(prose=HEADINGS), ("shell_exce",), "no tool named 'shell_exec'; did you mean `shell_exce`?"),
        (
            runbook_text(STEP.replace("shell_exec", "file_read"), prose=HEADINGS),
            None,
            "which tools_required does not name",
        ),
        (runbook_text("id: a\ntool: shell_exec", prose=HEADINGS), None, "has no command"),
        (runbook_text(), None, "no heading for: purpose"),
        (runbook_text(STEP, prose=HEADINGS), None, "no recorded outputs"),
        (runbook_text("id: a"), None, "12 error 'tool' is missing"),
        ("nothing", None, "1 error no front matter"),
    ],
)
def test_each_problem_is_named(tmp_path: Path, text: str, tools: tuple[str, ...] | None, what: str) -> None:
    assert any(what in one for one in problems(tmp_path, text, tools))
