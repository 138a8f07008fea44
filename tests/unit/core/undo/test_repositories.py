from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.git_write import GitWriteArgs
from akili_cli.core.undo import restoring, states
from akili_cli.core.undo.model import UndoState
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, ToolFailedError
from akili_cli.domain.images import RepositoryPlaces
from tests.fakes.bench import Bench, files_of
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git


async def test_looking_at_the_status_is_no_change(bench: Bench) -> None:
    await bench.change("checkout", "feature")
    os.utime(bench.repo / "a.txt", (1, 1))
    before = (bench.repo / ".git" / "index").read_bytes()
    git(bench.repo, "status")
    assert (bench.repo / ".git" / "index").read_bytes() != before
    assert (await bench.restore(await bench.last())).ok


async def test_a_change_of_something_else_stays(bench: Bench) -> None:
    await bench.change("rm", "a.txt")
    (bench.repo / "sub" / "b.txt").write_text("mine\n")
    (bench.repo / "note").write_text("mine\n")
    git(bench.repo, "tag", "mine")
    assert (await bench.restore(await bench.last())).ok
    assert git(bench.repo, "status", "--porcelain") == " M sub/b.txt\n?? note\n"
    assert git(bench.repo, "tag") == "mine\n"


def edit(repo: Path) -> None:
    (repo / "a.txt").write_text("mine\n")


def remove(repo: Path) -> None:
    (repo / "a.txt").unlink()


def link(repo: Path) -> None:
    (repo / "a.txt").rename(repo / "real")
    (repo / "a.txt").symlink_to("real")


def commit(repo: Path) -> None:
    git(repo, "commit", "--allow-empty", "-qm", "mine")


def stage(repo: Path) -> None:
    (repo / "sub" / "b.txt").write_text("mine\n")
    git(repo, "add", "sub/b.txt")


def move_head(repo: Path) -> None:
    git(repo, "switch", "-q", "--detach")


def run_git(repo: Path) -> None:
    (repo / ".git" / "index.lock").touch()


def swap_links(repo: Path) -> None:
    shutil.move(repo / "sub", repo.parent / "sub")
    (repo / "sub").symlink_to(repo.parent / "sub")


@pytest.mark.parametrize(
    ("since", "said"),
    [
        (edit, "a.txt' was changed since"),
        (remove, "a.txt' was changed since"),
        (link, "a.txt' was changed since"),
        (commit, "HEAD has moved since"),
        (stage, "index' was changed since"),
        (move_head, "HEAD' was changed since"),
        (run_git, "git is at work"),
        (swap_links, "symbolic link"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_was_changed_since_is_left_alone(since: Callable[[Path], None], said: str, bench: Bench) -> None:
    git(bench.repo, "rm", "-q", "sub/b.txt")
    git(bench.repo, "commit", "-qm", "without")
    await bench.change("checkout", "feature")
    since(bench.repo)
    before = files_of(bench.repo)
    out = await bench.restore(await bench.last())
    assert not out.ok
    assert said in out.text, out.text
    assert "nothing was done" in out.text or since in (run_git, swap_links)
    assert files_of(bench.repo) == before
    assert (await bench.last()).state is UndoState.READY


async def test_an_add_that_was_committed_since_is_not_taken_back(bench: Bench) -> None:
    edit(bench.repo)
    await bench.change("add", "a.txt")
    commit(bench.repo)
    out = await bench.restore(await bench.last())
    assert (out.ok, "HEAD has moved since" in out.text) == (False, True)


async def test_a_branch_made_is_taken_back_wherever_head_is(bench: Bench) -> None:
    await bench.change("branch", "topic")
    commit(bench.repo)
    assert (await bench.restore(await bench.last())).ok
    assert "topic" not in git(bench.repo, "branch")


async def test_a_file_that_came_where_a_directory_was_stays(bench: Bench) -> None:
    await bench.change("rm", "-r", "sub")
    (bench.repo / "sub").write_text("mine\n")
    assert not (await bench.restore(await bench.last())).ok
    assert (bench.repo / "sub").read_text() == "mine\n"


async def test_a_directory_that_got_something_of_mine_is_not_replaced_by_a_file(bench: Bench) -> None:
    git(bench.repo, "switch", "-q", "feature")
    git(bench.repo, "rm", "-q", "a.txt")
    (bench.repo / "a.txt").mkdir()
    (bench.repo / "a.txt" / "x").write_text("x\n")
    git(bench.repo, "add", ".")
    git(bench.repo, "commit", "-qm", "a directory")
    git(bench.repo, "switch", "-q", "main")
    await bench.change("checkout", "feature")
    (bench.repo / "a.txt" / "mine").write_text("mine\n")
    out = await bench.restore(await bench.last())
    assert (out.ok, "came since" in out.text) == (False, True)
    (bench.repo / "a.txt" / "mine").unlink()
    assert (await bench.restore(await bench.last())).ok
    assert (bench.repo / "a.txt").read_text() == "second\n"


async def test_what_changes_nothing_leaves_no_entry(bench: Bench) -> None:
    for line in ("merge nothing", "commit -m x", "add -A", "stash list", "checkout main"):
        await bench.change(*line.split())
    assert await bench.journal.listing("tester") == []


async def test_what_is_too_large_is_said_beforehand_and_in_the_list(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.repo / "large").write_bytes(b"x" * 5000)
    monkeypatch.setattr(states, "MAX_BYTES", 4000)
    asked = GitWriteArgs(subcommand="checkout", repo_path=str(bench.repo), args=["feature"])
    effects = bench.writer.effects(asked)
    assert not effects.reversible
    assert bench.writer.effects(GitWriteArgs(subcommand="tag", repo_path=str(bench.repo), args=["x"])).reversible
    assert (await bench.writer.run(asked, permit_for(effects, tool="git_write"))).ok
    entry = await bench.last()
    assert entry.state is UndoState.NOT_KEPT
    assert "are kept" in entry.obstacle


async def test_what_grew_too_large_after_the_ruling_is_not_changed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = GitWriteArgs(subcommand="checkout", repo_path=str(bench.repo), args=["feature"])
    permit = permit_for(bench.writer.effects(asked), tool="git_write")
    monkeypatch.setattr(states, "why_too_much", lambda _found: None)
    monkeypatch.setattr(states, "MAX_BYTES", 10)
    with pytest.raises(ToolFailedError, match="cannot be kept any more"):
        await bench.writer.run(asked, permit)
    assert git(bench.repo, "branch", "--show-current") == "main\n"


async def test_only_what_changed_stays_in_the_store(bench: Bench, tmp_path: Path) -> None:
    (bench.repo / "secret").write_text("not touched")
    await bench.change("commit", "--allow-empty", "-m", "x")
    await bench.change("checkout", "feature")
    objects = [path for path in (tmp_path / "undo").rglob("*") if path.is_file()]
    entries = await bench.journal.listing("tester")
    assert sorted(path.parent.name + path.name for path in objects) == sorted(str(e.before) for e in entries)


async def test_git_that_never_ended_leaves_an_entry_that_says_so(bench: Bench) -> None:
    places = RepositoryPlaces(str(bench.repo), f"{bench.repo}/.git", f"{bench.repo}/.git", (str(bench.repo),))
    permit = permit_for(Effects(writes=(str(bench.repo),)), tool="git_write")

    async def stop_halfway() -> None:
        async with bench.journal.repositories.before(permit, places):
            git(bench.repo, "tag", "x")
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await stop_halfway()
    entry = await bench.last()
    assert (entry.state, entry.obstacle) == (UndoState.UNFINISHED, "akili stopped while git_write was at work")
    args = {"top": str(bench.repo), "current": "", "earlier": str(entry.before)}
    with pytest.raises(ConflictError, match="nothing was done"):
        await bench.journal.repositories.restore(permit, entry.id, **args)


async def test_a_restore_that_fails_halfway_can_itself_be_undone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.change("checkout", "feature")
    after, entry, real = bench.state(), await bench.last(), restoring._put

    def fail(path: str, node: states.Node, permit: Permit) -> None:
        if path.endswith("/.git/index"):
            raise ToolFailedError("the disk is full")
        real(path, node, permit)

    monkeypatch.setattr(restoring, "_put", fail)
    out = await bench.restore(entry)
    assert (out.ok, out.text) == (False, "the disk is full; some of it may be done, see akili undo --list")
    assert bench.state() != after
    monkeypatch.setattr(restoring, "_put", real)
    assert (await bench.restore(await bench.undo_of(entry))).ok
    assert bench.state() == after
    assert (await bench.restore(entry)).ok
