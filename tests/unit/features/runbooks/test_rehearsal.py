from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.domain.errors import ConfigError, NotFoundError
from akili_cli.features.runbooks.model import Runbook
from akili_cli.features.runbooks.rehearsal import rehearse
from akili_cli.features.runbooks.source import load_runbook
from tests.unit.features.runbooks.samples import runbook_text

STEP = (
    "id: a\ntool: shell_exec\nwith: {command: cat a}\ncapture: {kind: lines}\n"
    "facts: [{label: A, say: '{line}'}]\n"
    "findings: [{column: line, op: contains, value: bad, severity: warning, say: 'bad'}]"
)
CASE = (
    "cases:\n- name: one\n  outputs: {a: {text: bad}}\n"
    "  expect: {severity: warning, findings: ['warning: bad'], facts: {A: ba}}\n"
)


def write(tmp_path: Path, recording: str | None) -> Runbook:
    path = tmp_path / "sample.md"
    path.write_text(runbook_text(STEP))
    if recording is not None:
        (tmp_path / "recorded").mkdir()
        (tmp_path / "recorded" / "sample.yaml").write_text(recording)
    return load_runbook(path)


def test_a_recording_that_still_holds_is_ok(tmp_path: Path) -> None:
    result = rehearse(write(tmp_path, CASE))
    assert result.ok
    assert result.cases[0].report.severity == "warning"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (("text: bad", "text: good"), "severity is ok, expected warning"),
        (("'warning: bad'", "'warning: worse'"), "missing finding: warning: worse"),
        (("A: ba", "A: zz"), "fact 'A'"),
        (("a: {text: bad}", "a: {text: bad}, b: {text: x}"), "output 'b' was never asked for"),
        (("{a: {text: bad}}", "{}"), "unexpected not checked: a"),
    ],
)
def test_every_difference_is_named(tmp_path: Path, change: tuple[str, str], difference: str) -> None:
    result = rehearse(write(tmp_path, CASE.replace(*change)))
    assert not result.ok
    assert any(difference in one for one in result.cases[0].differences)


def test_without_a_recording_there_is_nothing_to_play(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no recorded outputs"):
        rehearse(write(tmp_path, None))


@pytest.mark.parametrize(
    "text", ["cases: []", "cases: 5", CASE + "more: 1\n", CASE.replace("{text: bad}", "{txt: bad}")]
)
def test_a_recording_that_is_off_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"sample\.yaml:\d+"):
        rehearse(write(tmp_path, text))


def test_a_case_with_inputs_that_do_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="case 'one'"):
        rehearse(write(tmp_path, CASE.replace("  outputs", "  inputs: {x: 1}\n  outputs")))
