from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.adapters.files.nodes import (
    demand_write,
    locked,
    make_directory,
    opened_directory,
    put_link,
    read_in,
    remove_node,
    set_time,
)
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import RefusedError, ToolFailedError
from tests.fakes.permits import permit_for

ME = (os.geteuid(), os.getegid())


@pytest.fixture
def permit(tmp_path: Path) -> Permit:
    (tmp_path / "in").mkdir()
    return permit_for(Effects(writes=(str(tmp_path / "in"),)), protected=(str(tmp_path / "in" / "keys"),))


def test_a_directory_is_made_with_its_mode_and_one_that_is_there_stays(tmp_path: Path, permit: Permit) -> None:
    path = tmp_path / "in" / "d"
    make_directory(str(path), permit, mode=0o750, owner=ME)
    (path / "f").touch()
    make_directory(str(path), permit, mode=0o700, owner=ME)
    assert (stat.S_IMODE(path.stat().st_mode), (path / "f").exists()) == (0o750, True)


def test_a_link_takes_the_place_of_a_file_and_keeps_odd_targets(tmp_path: Path, permit: Permit) -> None:
    path = tmp_path / "in" / "l"
    path.write_text("x")
    put_link(str(path), b"odd \xff", permit, owner=ME)
    assert os.fsencode(os.readlink(path)) == b"odd \xff"
    assert [each.name for each in path.parent.iterdir()] == ["l"]


def test_files_links_and_empty_directories_go_and_full_ones_stay(tmp_path: Path, permit: Permit) -> None:
    target = tmp_path / "target"
    target.write_text("x")
    inside = tmp_path / "in"
    (inside / "f").touch()
    (inside / "l").symlink_to(target)
    (inside / "d" / "e").mkdir(parents=True)
    assert not remove_node(str(inside / "d"), permit)
    for name in ("f", "l", "d/e", "d", "gone"):
        assert remove_node(str(inside / name), permit)
    assert not list(inside.iterdir())
    assert target.read_text() == "x"


def test_a_time_is_set_on_the_link_itself(tmp_path: Path, permit: Permit) -> None:
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "in" / "l").symlink_to(target)
    set_time(str(tmp_path / "in" / "l"), 5_000_000_000, permit)
    assert (tmp_path / "in" / "l").lstat().st_mtime == 5
    assert target.stat().st_mtime != 5


def test_a_lock_is_held_once_and_given_back(tmp_path: Path, permit: Permit) -> None:
    lock = str(tmp_path / "in" / "lock")
    with locked(lock, permit):
        with pytest.raises(ToolFailedError, match="File exists"), locked(lock, permit):
            pytest.fail("held twice")
        assert Path(lock).exists()
    assert not Path(lock).exists()


ACTIONS: dict[str, Callable[[str, Permit], object]] = {
    "make": lambda path, permit: make_directory(path, permit, mode=0o700, owner=ME),
    "link": lambda path, permit: put_link(path, b"x", permit, owner=ME),
    "remove": remove_node,
    "time": lambda path, permit: set_time(path, 0, permit),
    "lock": lambda path, permit: locked(path, permit).__enter__(),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_happens_outside_the_permit_or_through_a_link(action: str, tmp_path: Path, permit: Permit) -> None:
    outside = tmp_path / "out"
    outside.mkdir()
    (outside / "x").touch()
    (tmp_path / "in" / "way").symlink_to(outside)
    (tmp_path / "in" / "keys").mkdir()
    for path, error in (
        (outside / "x", RefusedError),
        (tmp_path / "in" / "keys" / "x", RefusedError),
        (tmp_path / "in" / "way" / "x", ToolFailedError),
        (tmp_path / "in" / ".." / "out" / "x", RefusedError),
    ):
        with pytest.raises(error):
            ACTIONS[action](str(path), permit)
    assert [each.name for each in outside.iterdir()] == ["x"]


def test_reading_alone_does_not_let_write(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        demand_write(permit_for(Effects(reads=(str(tmp_path),))), str(tmp_path / "x"))


def test_files_are_read_whole_or_not_at_all_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 10_000)
    (tmp_path / "l").symlink_to("f")
    os.mkfifo(tmp_path / "p")
    with opened_directory(str(tmp_path)) as fd:
        assert read_in(fd, "f", 10_000) == b"x" * 10_000
        assert read_in(fd, "f", 9_999) is None
        for name, error in (("l", OSError), ("gone", FileNotFoundError), ("p", ToolFailedError)):
            with pytest.raises(error):
                read_in(fd, name, 1)
    (tmp_path / "d").symlink_to(tmp_path)
    with pytest.raises(ToolFailedError), opened_directory(str(tmp_path / "d")):
        pytest.fail("a link was followed")
