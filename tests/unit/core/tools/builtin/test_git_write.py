from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.core.tools.builtin.git_write import GitWrite, GitWriteArgs
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from akili_cli.domain.images import NoRepositoryImages
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git
from tests.fakes.sandbox import PlainSandbox


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    where = tmp_path / "repo"
    (where / "sub").mkdir(parents=True)
    git(where, "init", "-q", "-b", "main")
    (where / "a.txt").write_text("one\n")
    (where / "sub" / "b.txt").write_text("bee\n")
    git(where, "add", ".")
    git(where, "commit", "-qm", "first")
    return where


def writer(**more: int) -> GitWrite:
    return GitWrite(PlainSandbox(), NoRepositoryImages(), home="/", cwd="/", **more)


def asked(repo: Path, subcommand: str, *args: str) -> GitWriteArgs:
    return GitWriteArgs(subcommand=subcommand, repo_path=str(repo), args=list(args))


async def call(repo: Path, subcommand: str, *args: str) -> ToolOutput:
    tool, wanted = writer(), asked(repo, subcommand, *args)
    return await tool.run(wanted, permit_for(tool.effects(wanted), tool="git_write"))


async def test_a_change_is_added_and_committed_as_akili(repo: Path) -> None:
    (repo / "new.txt").write_text("new\n")
    assert (await call(repo, "add", "new.txt")).text == "[done, no output]"
    out = await call(repo, "commit", "-m", "second")
    assert out.ok, out.text
    assert out.untrusted == f"git {repo}"
    assert git(repo, "log", "-1", "--format=%an <%ae> %cn %s") == "akili <akili@localhost> akili second\n"


async def test_the_repositorys_own_identity_is_used(repo: Path) -> None:
    git(repo, "config", "user.name", "Bea")
    git(repo, "config", "user.email", "bea@example.org")
    await call(repo, "commit", "--allow-empty", "-m", "x")
    assert git(repo, "log", "-1", "--format=%an <%ae> %cn") == "Bea <bea@example.org> Bea\n"


async def test_branches_merge_rebase_and_pick(repo: Path) -> None:
    assert (await call(repo, "switch", "-c", "topic")).ok
    (repo / "t.txt").write_text("t\n")
    assert (await call(repo, "add", "-A")).ok
    assert (await call(repo, "commit", "-m", "topic")).ok
    assert (await call(repo, "checkout", "main")).ok
    assert (await call(repo, "commit", "--allow-empty", "-m", "aside")).ok
    assert (await call(repo, "cherry-pick", "-x", "topic")).ok
    assert (await call(repo, "reset", "--hard", "HEAD~1")).ok
    assert (await call(repo, "merge", "topic")).ok
    assert (await call(repo, "tag", "-a", "v1", "-m", "one")).ok
    assert git(repo, "log", "-1", "--format=%s") == "Merge branch 'topic'\n"
    assert (await call(repo, "switch", "topic")).ok
    assert (await call(repo, "rebase", "main")).ok
    assert (await call(repo, "branch", "-D", "main")).ok


async def test_a_stash_comes_back(repo: Path) -> None:
    (repo / "a.txt").write_text("changed\n")
    assert (await call(repo, "stash", "-m", "later")).ok
    assert (repo / "a.txt").read_text() == "one\n"
    assert "later" in (await call(repo, "stash", "list")).text
    assert (await call(repo, "stash", "pop")).ok
    assert (repo / "a.txt").read_text() == "changed\n"


async def test_what_git_complains_about_is_a_failed_result(repo: Path) -> None:
    out = await call(repo, "merge", "nothing")
    assert not out.ok
    assert "not something we can merge" in out.text
    assert "[exit code 1]" in out.text


def test_effects_name_the_work_tree_and_the_command(repo: Path) -> None:
    effects = writer().effects(asked(repo / "sub", "rm", "-r", "b.txt", "*.py", "old/*.c"))
    assert (effects.reads, effects.writes) == ((str(repo),), (str(repo),))
    assert effects.deletes == (f"{repo}/sub/b.txt", f"{repo}/sub/old")
    assert effects.commands[0].argv == ("git", "rm", "-r", "b.txt", "*.py", "old/*.c")
    assert effects.hosts == ()


def test_what_cannot_be_brought_back_is_said(repo: Path) -> None:
    for line in ("commit -m x", "add -A", "reset --hard", "branch -D x"):
        subcommand, *args = line.split()
        assert not writer().effects(asked(repo, subcommand, *args)).reversible


@pytest.mark.parametrize("subcommand", ["push", "fetch", "pull", "remote", "clone", "init", "clean"])
def test_remotes_and_worse_are_refused_by_name(subcommand: str, repo: Path) -> None:
    with pytest.raises(InvalidArgumentsError, match=subcommand) as caught:
        writer().effects(asked(repo, subcommand))
    assert "git_write offers add, commit" in caught.value.hint


@pytest.mark.parametrize("subcommand", ["log", "diff", "status", "show"])
def test_looking_is_for_the_other_tool(subcommand: str, repo: Path) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        writer().effects(asked(repo, subcommand))
    assert caught.value.hint == "use git_read for it"


def test_a_path_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(InvalidArgumentsError):
            writer().effects(asked(place, "add", "-A"))


async def test_a_smaller_permit_runs_nothing(repo: Path) -> None:
    for effects in (Effects(), Effects(reads=(str(repo),)), Effects(writes=(str(repo),))):
        with pytest.raises(RefusedError):
            await writer().run(asked(repo, "add", "-A"), permit_for(effects))


def test_a_repository_that_the_commands_uid_cannot_write_is_said_early(repo: Path) -> None:
    with pytest.raises(InvalidArgumentsError, match="commands run as uid 65534 here") as caught:
        writer(runs_as=65534).effects(asked(repo, "add", "-A"))
    assert "repository's owner" in caught.value.hint
    assert writer(runs_as=os.stat(repo).st_uid).effects(asked(repo, "add", "-A"))


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A repository that confined commands may write to, in a place every uid may enter."""
    with tempfile.TemporaryDirectory(prefix="akili-test-") as name:
        Path(name).chmod(0o755)
        where = Path(name) / "repo"
        where.mkdir()
        git(where, "init", "-q", "-b", "main")
        (where / "a.txt").write_text("one\n")
        git(where, "add", ".")
        git(where, "commit", "-qm", "first")
        if os.geteuid() == 0:
            for path in (where, *where.rglob("*")):
                os.chown(path, 65534, 65534)
        yield where


async def test_it_works_under_the_process_sandbox(nobodys: Path, tmp_path: Path) -> None:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path / "scratch", SystemClock())
    tool = GitWrite(sandbox, NoRepositoryImages(), home="/", cwd="/", runs_as=65534 if os.geteuid() == 0 else None)
    try:
        for line in (
            *("rm a.txt", "commit -m gone", "checkout HEAD~1 -- a.txt", "commit -m back", "switch -c topic"),
            *("commit --allow-empty -m more", "checkout main", "merge --no-ff topic", "rebase topic", "stash list"),
            *("reset --hard HEAD", "tag v1", "branch -d topic", "mv a.txt b.txt", "commit -m moved"),
        ):
            subcommand, *args = line.split()
            wanted = asked(nobodys, subcommand, *args)
            out = await tool.run(wanted, permit_for(tool.effects(wanted), tool="git_write"))
            assert out.ok, f"{line}: {out.text}"
            assert "files" in out.metadata["layers"]  # type: ignore[operator]
    finally:
        await sandbox.close()
    assert (nobodys / "b.txt").read_text() == "one\n"
