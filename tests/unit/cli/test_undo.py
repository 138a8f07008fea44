from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.cli import options
from akili_cli.cli.boundary import run_command_line
from akili_cli.cli.opening import opened_app, principal
from akili_cli.domain.calls import Run, ToolCall
from tests.fakes.repositories import git, make_repository

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


@pytest.fixture
def repo(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository that confined commands may write to, where every uid may enter."""
    writer = {"permissions": ["git_write", "shell_exec", "write_files"], "max_risk_level": "critical"}
    security = {"default_role": "writer", "roles": {"writer": writer}}
    with tempfile.TemporaryDirectory(prefix="akili-test-") as name:
        Path(name).chmod(0o755)
        tools = {"file": {"allowed_paths": [name]}, "git": {"allowed_paths": [name]}}
        configure(tmp_path / "home" / ".akili", {"tools": tools, "security": security})
        where = make_repository(Path(name) / "repo")
        if os.geteuid() == 0:
            for path in (where, *where.rglob("*")):
                os.chown(path, 65534, 65534)
        monkeypatch.chdir(work)
        yield where


def test_what_git_did_is_undone_in_the_real_sandbox_and_an_undo_of_it_too(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repo / "a.txt").write_text("mine\n")
    (repo / "a.txt").chmod(0o666)
    before, commit = git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD")
    use("git_write", subcommand="commit", repo_path=str(repo), args=["-am", "x"])
    after = git(repo, "rev-parse", "HEAD")
    assert after != commit
    code, out, err = akili(capsys, "--json")
    assert (code, json.loads(out)["tool"]) == (0, "git_restore"), err
    assert (git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD")) == (before, commit)
    entries = json.loads(akili(capsys, "--list", "--json")[1])
    undo = next(entry for entry in entries if entry["undo_of"])
    assert akili(capsys, undo["id"])[0] == 0
    assert git(repo, "rev-parse", "HEAD") == after
    git(repo, "commit", "-q", "--allow-empty", "-m", "mine")
    code, out, err = akili(capsys)
    assert (code, out, "was changed since" in err) == (1, "", True)


def test_policy_rules_on_an_undo_of_git_as_on_git(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use("git_write", subcommand="branch", repo_path=str(repo), args=["topic"])
    for role in ({"permissions": ["write_files"]}, {"permissions": ["git_write"], "require_approval": ["git_write"]}):
        security = {"default_role": "r", "roles": {"r": {**role, "max_risk_level": "critical"}}}
        tools = {"git": {"allowed_paths": [str(repo)]}}
        configure(tmp_path / "home" / ".akili", {"tools": tools, "security": security})
        assert akili(capsys)[0] == 2
    configure(
        tmp_path / "home" / ".akili",
        {"security": {"default_role": "admin"}, "tools": {"git": {"allowed_paths": ["/srv"]}}},
    )
    code, _, err = akili(capsys)
    assert (code, "allowed_paths" in err) == (2, True)
    assert "topic" in git(repo, "branch")


def test_the_list_names_commands_whose_changes_are_not_kept(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use("shell_exec", command=f"echo x > {repo}/by-shell")
    use("shell_exec", command="df -P")
    use("shell_exec", command="df -P 2>/dev/null")
    use("code_exec", language="python3", code="print(1)")
    (row,) = json.loads(akili(capsys, "--list", "--json")[1])
    assert (row["tool"], row["state"], row["path"]) == ("shell_exec", "not kept", f"{repo}/by-shell")
    assert "shell_exec keeps nothing" in row["obstacle"]
    code, _, err = akili(capsys, row["id"])
    assert (code, "left nothing to undo" in err) == (1, True)
