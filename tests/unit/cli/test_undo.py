from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from akili_cli.cli import options
from akili_cli.cli.boundary import run_command_line
from akili_cli.cli.opening import opened_app, principal
from akili_cli.domain.calls import Run, ToolCall

CONFIG = {
    "tools": {"file": {"allowed_paths": ["."]}},
    "security": {
        "default_role": "writer",
        "roles": {"writer": {"permissions": ["read_files", "write_files", "shell_exec"], "max_risk_level": "high"}},
    },
}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that akili was started in, with a configuration that lets it write there."""
    workspace = tmp_path / "home" / ".akili"
    workspace.mkdir(mode=0o700)
    configure(workspace, CONFIG)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    options.keep(config=None, color="never")
    return work


def configure(workspace: Path, config: object) -> None:
    (workspace / "config.json").write_text(json.dumps(config))
    (workspace / "config.json").chmod(0o600)


def use(tool: str, **arguments: object) -> str:
    """Let akili do something, as if a model had asked; give the audit id."""

    async def call() -> str:
        async with opened_app() as app:
            run = Run(id="r", principal=principal(), correlation_id="c")
            step = await app.pipeline.run(ToolCall("call", tool, arguments), run)
            return step.audit_id

    return asyncio.run(call())


def akili(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command_line(["undo", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_changes_are_undone_newest_first_and_an_undo_by_its_id(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "f").write_text("first")
    use("file_write", path="f", content="second")
    use("file_write", path="g", content="new")
    assert akili(capsys)[:2] == (0, f"deleted {work}/g, which did not exist before\n")
    code, out, _ = akili(capsys, "--json")
    said = json.loads(out)
    assert (code, said["status"], said["tool"], (work / "f").read_text()) == (0, "ok", "file_restore", "first")
    code, _, err = akili(capsys)
    assert (code, "nothing to undo" in err, "shell_exec" in err) == (1, True, True)
    entries = json.loads(akili(capsys, "--list", "--json")[1])
    assert [entry["state"] for entry in entries] == ["ready", "ready", "undone", "undone"]
    undo = next(entry for entry in entries if entry["undo_of"] == said["entry"])
    assert akili(capsys, undo["id"])[0] == 0
    assert (work / "f").read_text() == "second"


def test_the_list_says_what_cannot_be_undone(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert akili(capsys, "--list")[0] == 0
    use("file_write", path="f", content="x")
    code, out, err = akili(capsys, "--list")
    assert (code, str(work / "f") in out, "shell_exec" in err) == (0, True, True)


def test_a_file_changed_since_is_left_alone(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use("file_write", path="f", content="mine")
    (work / "f").write_text("edited")
    code, out, err = akili(capsys)
    assert (code, out, (work / "f").read_text()) == (1, "", "edited")
    assert "changed since; nothing was done" in err


def test_an_audit_id_names_what_it_did(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use("file_write", path="f", content="x")
    intent = json.loads(akili(capsys, "--list", "--json")[1])[0]["audit_id"]
    other = use("file_read", path="f")
    code, _, err = akili(capsys, other)
    assert (code, "left nothing to undo" in err) == (1, True)
    assert akili(capsys, intent)[0] == 0
    assert not (work / "f").exists()


@pytest.mark.parametrize("typed", ["zzzz", "", "%", "0" * 16, "../../x", "\x1b[2J"], ids=ascii)
def test_what_names_no_entry_is_said(typed: str, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use("file_write", path="f", content="x")
    code, _, err = akili(capsys, typed)
    assert (code, "no undo entry" in err, "\x1b" in err) == (1, True, False)
    assert (work / "f").exists()


def test_list_with_an_id_is_a_usage_error(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert akili(capsys, "--list", "abcd")[0] == 64


def test_policy_rules_on_an_undo_as_on_any_call(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use("file_write", path="f", content="x")
    writer = {**CONFIG["security"]["roles"]["writer"], "require_approval": ["write_files"]}  # type: ignore[index]
    configure(
        tmp_path / "home" / ".akili", {**CONFIG, "security": {"default_role": "writer", "roles": {"writer": writer}}}
    )
    code, out, _ = akili(capsys, "--json")
    assert (code, json.loads(out)["status"], (work / "f").exists()) == (2, "approval_required", True)
    reader = {"permissions": ["read_files"], "max_risk_level": "high"}
    configure(
        tmp_path / "home" / ".akili", {**CONFIG, "security": {"default_role": "reader", "roles": {"reader": reader}}}
    )
    assert akili(capsys)[0] == 2
    configure(tmp_path / "home" / ".akili", {**CONFIG, "tools": {"file": {"allowed_paths": ["/srv"]}}})
    code, _, err = akili(capsys)
    assert (code, "allowed_paths" in err, (work / "f").exists()) == (2, True, True)


def test_switched_off_nothing_is_kept_and_the_risk_says_so(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path / "home" / ".akili", {**CONFIG, "undo": {"enabled": False}})
    use("file_write", path="f", content="x")
    assert akili(capsys)[0] == 1
    assert (work / "f").exists()
