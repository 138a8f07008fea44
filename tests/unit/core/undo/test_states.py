from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.undo import states
from akili_cli.domain.errors import ToolFailedError
from akili_cli.domain.images import RepositoryPlaces
from tests.fakes.repositories import git, make_repository


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


def places(repo: Path, *work: str, inner: bool = False) -> RepositoryPlaces:
    return RepositoryPlaces(str(repo), f"{repo}/.git", f"{repo}/.git", tuple(f"{repo}{path}" for path in work), inner)


def seen(repo: Path, *work: str, inner: bool = False) -> set[str]:
    return {path.removeprefix(f"{repo}") for path in states.look(places(repo, *work, inner=inner))}


def test_the_state_is_references_logs_and_index_and_never_objects_or_hooks(repo: Path) -> None:
    found = seen(repo)
    assert {"/.git/HEAD", "/.git/index", "/.git/refs/heads/main", "/.git/logs/HEAD", "/.git/config"} <= found
    assert not [path for path in found if not path.startswith("/.git") or "/objects" in path or "/hooks" in path]


def test_the_work_tree_is_seen_where_asked(repo: Path) -> None:
    assert {"/a.txt", "/sub", "/sub/b.txt"} <= seen(repo, "")
    assert "/.git/objects" not in seen(repo, "")
    assert {path for path in seen(repo, "/sub/b.txt") if ".git" not in path} == {"/sub", "/sub/b.txt"}


def test_repositories_inside_are_seen_only_when_asked(repo: Path) -> None:
    make_repository(repo / "inner")
    assert "/inner" in seen(repo, "")
    assert "/inner/a.txt" not in seen(repo, "")
    assert "/inner/a.txt" in seen(repo, "", inner=True)


def test_nothing_is_looked_at_through_a_link(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (repo / "out").symlink_to(tmp_path / "outside")
    assert "/out" in seen(repo, "")
    assert not [path for path in (*seen(repo, ""), *seen(repo, "/out/secret")) if "secret" in path]


def test_a_link_among_gits_own_files_is_refused(repo: Path) -> None:
    (repo / ".git" / "index").rename(repo / ".git" / "other")
    (repo / ".git" / "index").symlink_to("other")
    with pytest.raises(ToolFailedError, match="symbolic link"):
        states.look(places(repo))


def test_too_many_files_and_too_many_bytes_are_said(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = states.look(places(repo, ""))
    assert states.why_too_much(found) is None
    monkeypatch.setattr(states, "MAX_BYTES", 10)
    assert "are kept" in (states.why_too_much(found) or "")
    with pytest.raises(ToolFailedError, match="are kept"):
        states.take(found)
    monkeypatch.setattr(states, "MAX_FILES", 2)
    with pytest.raises(ToolFailedError, match="more than 2 files"):
        states.look(places(repo, ""))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(repo: Path) -> None:
    (repo / "a.txt").chmod(0)
    assert "may not be read" in (states.why_too_much(states.look(places(repo, ""))) or "")
    with pytest.raises(ToolFailedError):
        states.take(states.look(places(repo, "")))


def test_packed_nodes_come_back_as_they_were(repo: Path) -> None:
    (repo / "link").symlink_to(b"odd \xff target")
    (repo / os.fsdecode(b"n\xff\n")).write_bytes(bytes(range(256)))
    nodes = states.take(states.look(places(repo, "")))
    header, again = states.unpack(states.pack({"entry": "x"}, nodes))
    assert (header, again) == ({"entry": "x"}, nodes)


def test_signs_differ_by_kind_content_and_execution_only(repo: Path) -> None:
    path = repo / "a.txt"
    signs = [states.sign_now(str(path))]
    path.chmod(0o600)
    assert states.sign_now(str(path)) == signs[0]
    for change in (lambda: path.chmod(0o700), lambda: path.write_text("x"), path.unlink, path.mkdir):
        change()
        signs.append(states.sign_now(str(path)))
    path.rmdir()
    path.symlink_to("x")
    signs.append(states.sign_now(str(path)))
    assert len(set(signs)) == len(signs)
    assert signs[3] is None
    for each in states.look(places(repo, "")):
        assert states.sign(each, states.take(states.look_at((each,)))[each]) == states.sign_now(each)


def test_what_was_written_without_a_trace_in_size_or_time_has_moved_all_the_same(repo: Path) -> None:
    before = states.look(places(repo, ""))
    times = (repo / "a.txt").stat()
    (repo / "a.txt").write_text("SECOND\n")
    os.utime(repo / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert states.moved(before, states.look(places(repo, ""))) == {str(repo / "a.txt")}


def test_head_is_read_from_loose_and_packed_references(repo: Path) -> None:
    commit = git(repo, "rev-parse", "HEAD").strip()
    git_dir = str(repo / ".git")
    assert states.head(git_dir, git_dir) == f"ref: refs/heads/main {commit}"
    git(repo, "pack-refs", "--all")
    assert states.head(git_dir, git_dir) == f"ref: refs/heads/main {commit}"
    git(repo, "checkout", "-q", "--detach")
    assert states.head(git_dir, git_dir) == commit
    (repo / ".git" / "HEAD").write_text("ref: ../../a.txt\n")
    assert states.head(git_dir, git_dir) == "ref: ../../a.txt"
