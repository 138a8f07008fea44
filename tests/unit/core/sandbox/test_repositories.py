from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest, ExecResult
from akili_cli.core.sandbox.repositories import Repositories, repositories_below
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from tests.fakes.permits import permit_for


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository below a directory below the writable one, with a worktree beside it, open to every uid."""
    for parent in (tmp_path, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    top = tmp_path / "work"
    (top / "deep").mkdir(parents=True)
    where = top / "deep" / "repo"
    commands = ["git init -q repo", "git -C repo -c user.name=x -c user.email=x@y commit -q --allow-empty -m x"]
    commands += ["git -C repo worktree add -q ../tree", "rm -r repo/.git/hooks", "chmod -R a+rwX .. ../.."]
    for command in commands:
        subprocess.run(["sh", "-c", command], cwd=top / "deep", check=True, capture_output=True)
    return where


async def sh(tmp_path: Path, line: str) -> ExecResult:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path / "scratch", SystemClock())
    permit = permit_for(Effects(writes=(str(tmp_path / "work"),)))
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    result = await sandbox.run(ExecRequest(("sh", "-c", line), 10, env=env), permit)
    await sandbox.close()
    return result


def test_what_git_would_run_or_obey_is_found(repository: Path) -> None:
    top = repository.parents[1]
    found = repositories_below([str(top)])
    assert set(found.pinned) == {
        str(top / "deep"),
        str(repository),
        str(repository / ".git"),
        str(top / "deep" / "tree"),
    }
    assert set(found.frozen) == {
        str(repository / ".git" / "hooks"),
        str(repository / ".git" / "config"),
        str(top / "deep" / "tree" / ".git"),
    }
    assert found.redirectable == (str(repository / ".git"),)


def test_the_repositories_own_directory_and_submodules_are_guarded(repository: Path) -> None:
    inner = repository / ".git" / "modules" / "a" / "b"
    inner.mkdir(parents=True)
    for name in ("HEAD", "config"):
        (inner / name).touch()
    found = repositories_below([str(repository / ".git")])
    assert str(inner / "config") in found.frozen
    assert str(inner / "hooks") in found.frozen
    assert found.pinned == ()


def test_places_without_a_repository_have_nothing_to_guard(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    assert repositories_below([str(tmp_path), "/no/such/place"]) == Repositories()


ATTACKS = {
    "hook": "echo evil > {r}/.git/hooks/pre-commit",
    "config": "git -C {r} config core.fsmonitor evil; echo '[core] fsmonitor = evil' >> {r}/.git/config",
    "swap": "mv {r}/.git {r}/old && cp -r {r}/old {r}/.git && echo evil >> {r}/.git/config",
    "swap above": "mv {r} {r}2 && cp -r {r}2 {r} && echo evil >> {r}/.git/config",
    "swap far above": "cd {r}/../..; mv deep x && mkdir -p {r} && cp -r x/repo/.git {r} && echo e >> {r}/.git/config",
    "replace": "rm -rf {r}/.git; mkdir -p {r}/.git/hooks; echo evil > {r}/.git/hooks/pre-commit",
    "redirect": "mkdir {r}/e; echo evil > {r}/e/config; echo ../e > {r}/.git/commondir",
    "worktree": "echo gitdir: /evil > {r}/../tree/.git",
}


@pytest.mark.parametrize("line", ATTACKS.values(), ids=ATTACKS.keys())
async def test_nothing_can_be_planted_in_a_writable_repository(repository: Path, tmp_path: Path, line: str) -> None:
    git = repository / ".git"
    config = (git / "config").read_bytes()
    tree = (repository.parent / "tree" / ".git").read_bytes()
    await sh(tmp_path, line.format(r=repository))
    assert (git / "config").read_bytes() == config
    assert not (git / "hooks" / "pre-commit").exists()
    assert not (git / "commondir").exists()
    assert (repository.parent / "tree" / ".git").read_bytes() == tree


async def test_ordinary_work_in_it_goes_on(repository: Path, tmp_path: Path) -> None:
    commit = "git -c user.name=x -c user.email=x@y commit -qm x"
    line = f"cd {repository} && echo x > file && git add file && {commit} && git log --oneline | wc -l"
    result = await sh(tmp_path, line)
    assert result.stdout.strip() == b"2", result.stderr


async def test_a_redirect_that_was_removed_is_said(repository: Path, tmp_path: Path) -> None:
    result = await sh(tmp_path, f"echo ../e > {repository}/.git/commondir")
    assert result.stderr == f"akili: removed {repository}/.git/commondir: it would redirect git\n".encode()
