from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.core.sandbox.carry import Carrier
from akili_cli.domain.errors import SandboxError


class Places:
    """A staged directory with copies, and the real one."""

    def __init__(self, top: Path) -> None:
        self.view, self.real = top / "view", top / "real"
        for folder in (self.view, self.real):
            folder.mkdir()
        self.open = [os.open(folder, os.O_RDONLY) for folder in (self.view, self.real)]

    def there(self, text: str, mode: int = 0o640) -> None:
        for folder in (self.real, self.view):
            (folder / "file").write_text(text)
            (folder / "file").chmod(mode)
        self.before = (self.real / "file").stat()
        os.utime(self.view / "file", ns=(self.before.st_atime_ns, self.before.st_mtime_ns))
        self.copy = os.open(self.view / "file", os.O_RDONLY)
        self.open.append(self.copy)

    def carry(self, name: str = "file", *, delete: bool = False, write: bool = True, room: int = 1 << 20) -> None:
        there = name == "file" and hasattr(self, "copy")
        before, copy = (self.before, self.copy) if there else (None, None)
        Carrier(*self.open[:2], room).carry(name, before, copy, delete=delete, write=write)

    def now(self) -> str:
        return (self.real / "file").read_text()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    made = Places(tmp_path)
    yield made
    for descriptor in made.open:
        os.close(descriptor)


def test_nothing_done_changes_nothing(places: Places) -> None:
    places.there("old")
    places.carry()
    assert (places.real / "file").stat() == places.before


def test_a_file_changed_in_place_is_changed_in_place(places: Places) -> None:
    places.there("old text")
    (places.view / "file").write_text("new")
    places.carry()
    assert places.now() == "new"
    assert (places.real / "file").stat().st_ino == places.before.st_ino


def test_what_was_appended_is_appended_although_somebody_else_did_so_too(places: Places) -> None:
    places.there("log\n")
    with (places.view / "file").open("a") as view, (places.real / "file").open("a") as real:
        view.write("ours\n")
        real.write("theirs\n")
    places.carry()
    assert places.now() == "log\ntheirs\nours\n"


def test_a_replaced_file_is_replaced_with_its_owner_and_the_new_mode(places: Places) -> None:
    places.there("old")
    (places.view / "other").write_text("new")
    (places.view / "other").chmod(0o4755)
    (places.view / "other").rename(places.view / "file")
    if os.geteuid() == 0:
        os.chown(places.real / "file", 33, 34)
        places.before = (places.real / "file").stat()
    places.carry()
    now = (places.real / "file").stat()
    assert places.now() == "new"
    assert now.st_ino != places.before.st_ino
    assert stat.S_IMODE(now.st_mode) == 0o755
    assert (now.st_uid, now.st_gid) == (places.before.st_uid, places.before.st_gid)
    assert [path.name for path in places.real.iterdir()] == ["file"]


def test_mode_and_time_are_carried_over(places: Places) -> None:
    places.there("same")
    (places.view / "file").chmod(0o4600)
    os.utime(places.view / "file", (1, 2))
    places.carry()
    now = (places.real / "file").stat()
    assert (stat.S_IMODE(now.st_mode), now.st_mtime) == (0o600, 2)


@pytest.mark.parametrize("how", ["overwritten", "replaced", "removed"])
def test_what_somebody_else_changed_meanwhile_is_left_alone(places: Places, how: str) -> None:
    places.there("old text")
    (places.real / "file").write_text("theirs")
    if how != "overwritten":
        (places.view / "file").unlink()
    if how != "removed":
        (places.view / "file").write_text("ours")
    with pytest.raises(SandboxError, match="changed by somebody else"):
        places.carry(delete=True)
    assert places.now() == "theirs"
    assert [path.name for path in places.real.iterdir()] == ["file"]


def test_a_removed_file_is_removed_only_where_that_is_permitted(places: Places) -> None:
    places.there("old")
    (places.view / "file").unlink()
    places.carry()
    assert places.now() == "old"
    places.carry(delete=True, write=False)
    assert not (places.real / "file").exists()


def test_what_is_new_is_made_with_the_way_to_it_and_nothing_beside(places: Places) -> None:
    (places.view / "a/b/tree").mkdir(parents=True)
    (places.view / "a/b/tree/file").write_text("x")
    (places.view / "a/b/tree/link").symlink_to("/etc/shadow")
    (places.view / "a/stray").write_text("")
    places.carry("a/b/tree")
    places.carry("never/made")
    assert sorted(str(path.relative_to(places.real)) for path in places.real.rglob("*")) == [
        *("a", "a/b", "a/b/tree", "a/b/tree/file", "a/b/tree/link")
    ]
    assert (places.real / "a/b/tree/link").is_symlink()


def test_a_new_file_never_takes_the_place_of_one_that_appeared(places: Places) -> None:
    for folder, text in ((places.view, "ours"), (places.real, "theirs")):
        (folder / "file").write_text(text)
    with pytest.raises(FileExistsError):
        places.carry()
    assert places.now() == "theirs"


@pytest.mark.parametrize("where", ["view", "real"])
def test_no_link_on_the_way_is_followed(places: Places, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (places.view, places.real):
        if folder.name == where:
            (folder / "way").symlink_to(outside)
        else:
            (folder / "way").mkdir()
    (places.view / "way/file").write_text("x")
    if where == "real":
        with pytest.raises(OSError, match="directory"):
            places.carry("way/file")
    else:
        places.carry("way/file")
    assert list(outside.iterdir()) == ([outside / "file"] if where == "view" else [])
    assert not (places.real / "way/file").exists()


def test_a_fifo_is_neither_carried_over_nor_waited_for(places: Places) -> None:
    os.mkfifo(places.view / "new")
    with pytest.raises(SandboxError, match="neither a file"):
        places.carry("new")
    places.there("old")
    (places.view / "file").unlink()
    os.mkfifo(places.view / "file")
    with pytest.raises(SandboxError, match="neither a file"):
        places.carry()
    assert [path.name for path in places.real.iterdir()] == ["file"]


def test_more_than_fits_is_not_carried_over(places: Places) -> None:
    places.there("old")
    (places.view / "other").write_bytes(b"x" * 5000)
    (places.view / "other").rename(places.view / "file")
    with pytest.raises(SandboxError, match="more than fits"):
        places.carry(room=4000)
    assert places.now() == "old"


def test_a_deep_tree_ends(places: Places) -> None:
    deep = places.view / "/".join(["d"] * 80)
    deep.mkdir(parents=True)
    with pytest.raises(SandboxError, match="neither a file nor a directory"):
        places.carry("d")
