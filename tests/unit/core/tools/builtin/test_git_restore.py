from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.git_restore import GitRestoreArgs
from akili_cli.core.tools.builtin.git_write import GitWriteArgs
from akili_cli.core.undo.model import UndoState
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from tests.fakes.bench import Bench, files_of
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git, make_repository


def plain(_repo: Path) -> None:
    pass


def dirty(repo: Path) -> None:
    (repo / "a.txt").write_text("not committed\n")
    (repo / "new.txt").write_text("not known to git\n")
    (repo / "sub" / "run").write_text("#!/bin/sh\n")
    (repo / "sub" / "run").chmod(0o755)
    (repo / "link").symlink_to("a.txt")


def staged(repo: Path) -> None:
    dirty(repo)
    git(repo, "add", "a.txt", "sub/run", "link")
    (repo / "a.txt").write_text("changed again\n")
    git(repo, "add", "-N", "new.txt")


def half_staged(repo: Path) -> None:
    dirty(repo)
    git(repo, "add", "a.txt", "sub/run", "link")
    (repo / "a.txt").write_text("changed again\n")


def stashed(repo: Path) -> None:
    for text in ("one", "two"):
        (repo / "a.txt").write_text(f"stash {text}\n")
        git(repo, "stash", "-m", text)


def forked(repo: Path) -> None:
    (repo / "sub" / "b.txt").write_text("of main\n")
    git(repo, "commit", "-qam", "aside")


def clashing(repo: Path) -> None:
    (repo / "a.txt").write_text("of main\n")
    git(repo, "commit", "-qam", "clash")


def merging(repo: Path) -> None:
    clashing(repo)
    git(repo, "merge", "feature", check=False)


def rebasing(repo: Path) -> None:
    clashing(repo)
    git(repo, "rebase", "feature", check=False)


def packed(repo: Path) -> None:
    git(repo, "tag", "v0")
    git(repo, "pack-refs", "--all")


def executable(repo: Path) -> None:
    (repo / "a.txt").chmod(0o755)


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "add": (dirty, "add -A"),
    "add-mode": (executable, "add -u"),
    "commit": (staged, "commit -m x"),
    "commit-all": (dirty, "commit -am x"),
    "amend": (staged, "commit --amend -m other"),
    "checkout-branch": (plain, "checkout feature"),
    "checkout-new": (dirty, "checkout -b topic"),
    "checkout-file": (dirty, "checkout -- a.txt"),
    "checkout-old": (staged, "checkout HEAD~1 -- a.txt sub"),
    "checkout-force": (staged, "checkout -f feature"),
    "detach": (plain, "checkout --detach HEAD~1"),
    "orphan": (plain, "switch --orphan empty"),
    "branch": (plain, "branch topic HEAD~1"),
    "branch-deep": (plain, "branch deep/topic"),
    "branch-delete": (plain, "branch -D feature"),
    "branch-move": (plain, "branch -m main trunk"),
    "branch-force": (plain, "branch -f feature HEAD~1"),
    "tag": (plain, "tag -a v1 -m one"),
    "tag-packed": (packed, "tag -d v0"),
    "branch-packed": (packed, "branch -D feature"),
    "commit-packed": (packed, "commit --allow-empty -m x"),
    "stash": (half_staged, "stash push"),
    "stash-all": (dirty, "stash -u"),
    "stash-pop": (stashed, "stash pop"),
    "stash-drop": (stashed, "stash drop stash@{1}"),
    "stash-clear": (stashed, "stash clear"),
    "stash-branch": (stashed, "stash branch later"),
    "merge-forward": (plain, "merge feature"),
    "merge": (forked, "merge --no-ff feature"),
    "merge-clash": (clashing, "merge feature"),
    "merge-abort": (merging, "merge --abort"),
    "rebase": (forked, "rebase feature"),
    "rebase-clash": (clashing, "rebase feature"),
    "rebase-abort": (rebasing, "rebase --abort"),
    "rebase-skip": (rebasing, "rebase --skip"),
    "reset-soft": (plain, "reset --soft HEAD~1"),
    "reset-mixed": (staged, "reset"),
    "reset-hard": (staged, "reset --hard HEAD~1"),
    "rm": (plain, "rm -r sub"),
    "rm-force": (staged, "rm -f a.txt"),
    "rm-pattern": (plain, "rm *.txt"),
    "rm-cached": (plain, "rm --cached a.txt"),
    "mv": (plain, "mv a.txt sub/c.txt"),
    "mv-directory": (dirty, "mv sub other"),
    "mv-over": (dirty, "mv -f sub/b.txt a.txt"),
    "restore": (staged, "restore a.txt"),
    "restore-staged": (staged, "restore --staged a.txt"),
    "restore-both": (staged, "restore -s HEAD~1 -SW ."),
    "pick": (forked, "cherry-pick feature"),
    "pick-clash": (clashing, "cherry-pick feature"),
    "pick-only": (forked, "cherry-pick -n feature"),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_change_is_undone_redone_and_undone_again(name: str, bench: Bench) -> None:
    prepare, line = CASES[name]
    prepare(bench.repo)
    before = bench.state()
    out = await bench.change(*line.split())
    after = bench.state()
    assert after != before, out.text
    entry = await bench.last()
    assert entry.state is UndoState.READY
    for wanted in (before, after, before):
        undone = await bench.restore(entry)
        assert undone.ok, undone.text
        assert bench.state() == wanted
        entry = await bench.undo_of(entry)
    git(bench.repo, "fsck", "--strict")
    assert not list((bench.repo / ".git").glob("*.lock"))


async def test_a_linked_work_tree_is_put_back_and_its_neighbour_left_alone(bench: Bench, tmp_path: Path) -> None:
    main = bench.repo
    git(main, "worktree", "add", "-q", str(tmp_path / "linked"), "feature")
    bench.repo = tmp_path / "linked"
    (bench.repo / "a.txt").write_text("x\n")
    before, beside = bench.state(), files_of(main)
    for line in ("commit -am x", "reset --hard HEAD~1", "switch -c topic", "branch -D main"):
        await bench.change(*line.split())
        if (await bench.journal.newest("tester")) is not None:
            assert (await bench.restore(await bench.last())).ok
        assert bench.state() == before
        assert files_of(main) == beside


async def test_the_log_of_a_reference_keeps_what_was_undone_from_being_collected(bench: Bench) -> None:
    await bench.change("commit", "--allow-empty", "-m", "x")
    commit = git(bench.repo, "rev-parse", "HEAD").strip()
    entry = await bench.last()
    assert (await bench.restore(entry)).ok
    git(bench.repo, "gc", "-q", "--prune=now")
    assert git(bench.repo, "rev-parse", "HEAD@{1}").strip() == commit
    assert "undo of git_write" in git(bench.repo, "reflog", "-1")


async def test_a_call_that_says_something_else_than_the_entry_does_nothing(bench: Bench, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    await bench.change("branch", "topic")
    entry = await bench.last()
    for lie in ({"repo_path": str(other)}, {"current": "0" * 64}, {"earlier": "0" * 64}, {"entry": "0123456789abcdef"}):
        assert not (await bench.restore(entry, **lie)).ok
    assert "topic" in git(bench.repo, "branch")


async def test_a_foreign_permit_is_refused_and_a_protected_place_too(bench: Bench) -> None:
    await bench.change("branch", "topic")
    args = bench.args(await bench.last())
    effects = bench.restorer.effects(args)
    for permit in (
        permit_for(Effects()),
        permit_for(Effects(reads=effects.reads)),
        permit_for(effects, protected=(str(bench.repo / ".git"),)),
        permit_for(effects, protected=(str(bench.repo),)),
    ):
        with pytest.raises(RefusedError):
            await bench.restorer.run(args, permit)
    assert "topic" in git(bench.repo, "branch")


@pytest.mark.parametrize("place", ["repo/sub", "repo/.git", ".", "gone", "link"])
def test_a_place_that_is_no_work_tree_is_invalid(place: str, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("repo")
    args = GitRestoreArgs(entry="abcd", repo_path=str(tmp_path / place), current="0" * 64, earlier="0" * 64)
    with pytest.raises(InvalidArgumentsError):
        bench.restorer.effects(args)


async def test_an_owner_and_mode_come_back(bench: Bench) -> None:
    path = bench.repo / "sub" / "b.txt"
    path.chmod(0o604)
    if os.geteuid() == 0:
        for each in (bench.repo, *bench.repo.rglob("*")):
            os.chown(each, 65534, 65534, follow_symlinks=False)
    owner = path.stat().st_uid
    await bench.change("rm", "-rf", "sub")
    assert (await bench.restore(await bench.last())).ok
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.parent.stat().st_uid) == (0o604, owner, owner)


async def test_hooks_and_helpers_of_a_hostile_repository_stay_off_in_an_undo(bench: Bench, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    evil.chmod(0o755)
    for hook in ("post-checkout", "post-commit", "reference-transaction", "post-index-change", "post-rewrite"):
        shutil.copy(evil, bench.repo / ".git" / "hooks" / hook)
    with (bench.repo / ".git" / "config").open("a") as config:
        config.write(f"[core]\nfsmonitor = {evil}\nsshCommand = {evil}\n[diff]\nexternal = {evil}\n")
    before = files_of(bench.repo)
    await bench.change("checkout", "feature")
    assert (await bench.restore(await bench.last())).ok
    assert files_of(bench.repo) == before
    assert not mark.exists()


async def test_a_linked_reference_directory_makes_a_change_one_way(bench: Bench) -> None:
    heads = bench.repo / ".git" / "refs" / "heads"
    heads.rename(bench.repo / ".git" / "other")
    heads.symlink_to(bench.repo / ".git" / "other")
    asked = GitWriteArgs(subcommand="tag", repo_path=str(bench.repo), args=["x"])
    assert not bench.writer.effects(asked).reversible


async def test_a_hostile_head_leads_nowhere(bench: Bench, tmp_path: Path) -> None:
    await bench.change("branch", "topic")
    (tmp_path / "secret").write_text("SECRET\n")
    (bench.repo / ".git" / "HEAD").write_text(f"ref: ../../{tmp_path.name}/secret\nref: refs/heads/main\n")
    out = await bench.restore(await bench.last())
    assert "SECRET" not in out.text
