from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.undo.git_index import meaning
from tests.fakes.repositories import git, make_repository


def index(repo: Path) -> bytes:
    return (repo / ".git" / "index").read_bytes()


@pytest.fixture(params=["2", "3", "4"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    names = ("a", "abc", "abcdefgh", "dir/file", "dir/other-file", "l" * 200)
    where = make_repository(tmp_path / "repo", files=names)
    git(where, "update-index", "--index-version", request.param)
    return where


def test_times_do_not_matter_and_content_does(repo: Path) -> None:
    before = index(repo)
    os.utime(repo / "a", (1, 1))
    git(repo, "status")
    assert index(repo) != before
    assert meaning(index(repo)) == meaning(before) is not None
    (repo / "a").write_text("other")
    git(repo, "add", "a")
    assert meaning(index(repo)) != meaning(before)


@pytest.mark.parametrize(
    "change",
    [
        ("update-index", "--chmod=+x", "a"),
        ("update-index", "--skip-worktree", "a"),
        ("update-index", "--assume-unchanged", "a"),
        ("rm", "-q", "--cached", "a"),
        ("rm", "-q", "dir/file"),
    ],
    ids=" ".join,
)
def test_flags_and_entries_matter(change: tuple[str, ...], repo: Path) -> None:
    before = meaning(index(repo))
    git(repo, *change)
    assert None not in (before, meaning(index(repo)))
    assert meaning(index(repo)) != before


def test_other_hashes_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    git(tmp_path / "repo", "init", "-q", "--object-format=sha256")
    (tmp_path / "repo" / "a").write_text("a")
    git(tmp_path / "repo", "add", "a")
    assert b"a\0" in (meaning(index(tmp_path / "repo")) or b"")


def test_an_index_that_builds_on_another_file_is_not_understood(repo: Path) -> None:
    git(repo, "update-index", "--split-index")
    assert meaning(index(repo)) is None


@pytest.mark.parametrize("cut", [0, 3, 11, 12, 40, 100, -1, -25])
def test_what_is_no_index_is_not_understood(cut: int, repo: Path) -> None:
    assert meaning(index(repo)[:cut]) is None
    assert meaning(b"x" * cut if cut > 0 else b"DIRC\0\0\0\x09" + b"\0" * 24) is None
