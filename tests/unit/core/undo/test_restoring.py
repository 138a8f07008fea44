from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.undo import states
from akili_cli.core.undo.restoring import Change, change_of, put_back, read_change, write_change
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, RefusedError
from akili_cli.domain.images import RepositoryPlaces
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git, make_repository


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


def changed(repo: Path, *command: str) -> Change:
    places = RepositoryPlaces(str(repo), f"{repo}/.git", f"{repo}/.git", (str(repo),))
    before = states.look(places)
    nodes = states.take(before)
    git(repo, *command)
    return change_of(places, nodes, before, states.look(places))


def test_a_change_holds_what_moved_and_comes_back_from_its_written_form(repo: Path) -> None:
    change = changed(repo, "rm", "-q", "a.txt")
    assert {path.removeprefix(f"{repo}") for path in change.after} == {"/a.txt", "/.git/index"}
    assert change.before[f"{repo}/a.txt"].data == b"second\n"
    again = read_change(write_change(change, "x"))
    assert (again, again.digest) == (change, change.digest)


def test_a_log_that_grew_is_no_change_and_is_added_to(repo: Path) -> None:
    log = repo / ".git" / "logs" / "HEAD"
    before = log.read_text()
    change = changed(repo, "commit", "-q", "--allow-empty", "-m", "x")
    assert {path.removeprefix(f"{repo}/.git/") for path in change.after} == {"refs/heads/main"}
    assert {path.removeprefix(f"{repo}/.git/") for path in change.reflogs} == {"logs/HEAD", "logs/refs/heads/main"}
    put_back(change, permit_for(Effects(writes=(str(repo),))), "undo of x", 7.0)
    assert log.read_text().startswith(before)
    assert log.read_text().endswith(" akili <akili@localhost> 7 +0000\tundo of x\n")


def test_the_log_of_the_stash_is_its_list_and_comes_back_whole(repo: Path) -> None:
    (repo / "a.txt").write_text("x\n")
    change = changed(repo, "stash")
    assert f"{repo}/.git/logs/refs/stash" in change.after


def test_a_thing_that_is_neither_file_nor_link_is_said_to_be_lost(repo: Path) -> None:
    node = states.Node("other", 0o600, 0, 0, 0)
    assert Change("/g", "/g", "", {"/x": node}, {"/x": None}, {}).lost == "/x"
    assert changed(repo, "rm", "-q", "a.txt").lost is None


def test_nothing_is_put_outside_the_permit(repo: Path) -> None:
    change = changed(repo, "rm", "-q", "a.txt")
    with pytest.raises(RefusedError):
        put_back(change, permit_for(Effects(writes=(f"{repo}/sub", f"{repo}/.git"))), "x", 0.0)
    assert not (repo / "a.txt").exists()


def test_gits_lock_is_respected_and_given_back(repo: Path) -> None:
    change = changed(repo, "rm", "-q", "a.txt")
    lock, permit = repo / ".git" / "index.lock", permit_for(Effects(writes=(str(repo),)))
    lock.touch()
    with pytest.raises(ConflictError, match="at work"):
        put_back(change, permit, "x", 0.0)
    lock.unlink()
    put_back(change, permit, "x", 0.0)
    assert not lock.exists()
    assert git(repo, "status", "--porcelain") == ""
