from __future__ import annotations

import pytest

from akili_cli.core.tools.git.repository import Repository
from akili_cli.core.tools.git.touched import places_of
from akili_cli.core.tools.git.write_arguments import check_write_arguments

REPOSITORY = Repository("/repo", "/repo/.git", "/repo/.git", ("/repo",), ())


def work(line: str, cwd: str = "/repo") -> tuple[str, ...]:
    subcommand, *args = line.split()
    passed = check_write_arguments(subcommand, args, top="/repo", cwd=cwd)
    return places_of(REPOSITORY, subcommand, passed, cwd).work


@pytest.mark.parametrize(
    "line",
    [
        *("add -A", "commit -am x", "branch -D x", "tag v1", "reset", "reset --soft x", "rm --cached a"),
        *("restore --staged a", "restore -S a", "stash list", "stash drop", "stash clear"),
    ],
)
def test_what_changes_only_gits_own_state_needs_nothing_of_the_work_tree(line: str) -> None:
    assert work(line) == ()


@pytest.mark.parametrize(
    "line",
    [
        *("checkout x", "checkout a", "switch x", "merge x", "rebase x", "cherry-pick x", "stash", "stash pop"),
        *("reset --hard", "reset --merge", "reset --keep", "stash push -- a", "stash -u", "merge --abort"),
        *("rm *.c", "rm :/a", "rm -- d/[ab]", "restore :(top)a", "checkout x -- *.c", "checkout -- :/"),
        "restore x*",
    ],
)
def test_what_may_change_any_file_needs_them_all(line: str) -> None:
    assert work(line) == ("/repo",)


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("restore a", ("/repo/sub/a",)),
        ("restore -SW -s HEAD a ../b", ("/repo/sub/a", "/repo/b")),
        ("restore -- -a", ("/repo/sub/-a",)),
        ("checkout x -- a", ("/repo/sub/a",)),
        ("rm -r a", ("/repo/sub/a", "/repo/.gitmodules")),
        ("mv a b ..", ("/repo/sub/a", "/repo/sub/b", "/repo", "/repo/.gitmodules")),
    ],
)
def test_named_paths_are_enough(line: str, paths: tuple[str, ...]) -> None:
    assert work(line, cwd="/repo/sub") == paths


def test_a_removed_or_moved_repository_inside_is_kept_too() -> None:
    for subcommand in ("rm", "mv"):
        assert places_of(REPOSITORY, subcommand, ("a", "b"), "/repo").inner
    assert not places_of(REPOSITORY, "checkout", ("--", "a"), "/repo").inner
