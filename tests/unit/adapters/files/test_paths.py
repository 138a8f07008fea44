from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.adapters.files.paths import (
    hash_file,
    list_beneath,
    list_directory,
    open_beneath,
    open_by_kernel,
    open_by_walk,
    read_file,
    resolve,
    write_file,
)
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import (
    AkiliError,
    InvalidArgumentsError,
    NotFoundError,
    RefusedError,
    ToolFailedError,
)
from tests.fakes.permits import permit_for

Opener = Callable[[int, str, int, int], int]


def reads(*paths: Path | str, protected: tuple[str, ...] = ()) -> Permit:
    return permit_for(Effects(reads=tuple(map(str, paths))), protected=protected)


def writes(*paths: Path | str, protected: tuple[str, ...] = ()) -> Permit:
    return permit_for(Effects(writes=tuple(map(str, paths))), protected=protected)


def test_relative_home_and_dotted_paths_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    cwd, home = str(tmp_path), str(tmp_path / "home")
    assert resolve("d/../x", cwd=cwd, home=home) == f"{cwd}/x"
    assert resolve("~", cwd=cwd, home=home) == home
    assert resolve("~/a//b/./c/", cwd=cwd, home=home) == f"{home}/a/b/c"
    assert resolve("//etc", cwd=cwd, home=home) == os.path.realpath("/etc")


def test_symlinks_and_dangling_symlinks_give_their_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    (tmp_path / "hop").symlink_to("link")
    assert resolve("hop", cwd=str(tmp_path), home="/") == "/nowhere/at/all"
    assert resolve("hop/../b", cwd=str(tmp_path), home="/") == "/nowhere/at/b"


@pytest.mark.parametrize(
    "path",
    ["", "a\0b", "\ud800", "~root/x", "x" * 256, "a/" * 2100, "~" + "\0"],
    ids=["empty", "nul", "surrogate", "other-home", "long-name", "long-path", "tilde-nul"],
)
def test_a_text_that_names_no_file_is_invalid(path: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        resolve(path, cwd="/", home="/root")


def test_a_link_to_a_name_that_is_not_utf8_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(os.fsdecode(b"/tmp/\xff"))
    with pytest.raises(InvalidArgumentsError):
        resolve("link", cwd=str(tmp_path), home="/")


@pytest.mark.parametrize("path", ["{}/../x", "{}/./f", "{}//f", "{}/d/", "f", "", "{}x/f"])
def test_a_path_that_is_not_plainly_below_the_root_is_never_opened(path: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(RefusedError):
        open_beneath(str(tmp_path), path.format(tmp_path), os.O_RDONLY)
    with pytest.raises(RefusedError):
        read_file(path.format(tmp_path), permit_for(Effects(reads=(str(tmp_path),))), max_bytes=9, limit=9)
    with pytest.raises(RefusedError):
        open_beneath(f"{tmp_path}/", str(tmp_path / "f"), os.O_RDONLY)


@pytest.mark.parametrize("opener", [open_by_kernel, open_by_walk])
def test_both_ways_of_opening_follow_no_symlink(opener: Opener, tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_text("x")
    (tmp_path / "ln").symlink_to("d")
    (tmp_path / "d" / "fl").symlink_to("e/f")
    root = os.open(tmp_path, os.O_RDONLY)
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        os.close(opener(root, "d/e/f", flags, 0))
        os.close(opener(root, ".", flags | os.O_DIRECTORY, 0))
        for path in ("ln/e/f", "d/fl", "ln"):
            with pytest.raises(OSError, match=r"symbolic|directory"):
                opener(root, path, flags, 0)
    finally:
        os.close(root)


def test_leaving_the_root_or_a_link_put_there_since_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "out").write_text("x")
    (inside / "ln").symlink_to("../out")
    with pytest.raises(RefusedError):
        open_beneath(str(inside), str(tmp_path / "out"), os.O_RDONLY)
    with pytest.raises(RefusedError):
        open_beneath(str(inside), f"{inside}/../out", os.O_RDONLY)
    with pytest.raises(ToolFailedError, match="symbolic link"):
        open_beneath(str(inside), str(inside / "ln"), os.O_RDONLY)
    with pytest.raises(NotFoundError):
        open_beneath(str(inside), str(inside / "none"), os.O_RDONLY)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_null(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("no leave to make a device")


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_null, Path.mkdir])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY], ids=["read", "write"])
def test_what_is_no_regular_file_is_not_opened_and_never_waits(
    make: Callable[[Path], None], flags: int, tmp_path: Path
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(ToolFailedError):
        open_beneath("/", str(tmp_path / "odd"), flags)


def test_a_file_as_its_own_root_opens(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    os.close(open_beneath(str(tmp_path / "f"), str(tmp_path / "f"), os.O_RDONLY))


def test_listing_gives_entries_by_name_and_the_total(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("123")
    (tmp_path / "a").symlink_to("/etc/passwd")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("")
    entries, total = list_beneath("/", str(tmp_path), max_entries=3)
    assert [entry.name for entry in entries] == ["a", "b", "home"]
    assert stat.S_ISLNK(entries[0].mode)
    assert entries[1].size == 3
    assert total == 4


def test_reading_needs_a_permit_that_covers_the_path(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    path = str(tmp_path / "f")
    part = read_file(path, reads(path), max_bytes=100, offset=2, limit=3)
    assert (part.data, part.offset, part.size, part.more) == (b"234", 2, 10, True)
    assert read_file(path, reads(tmp_path), max_bytes=100, limit=10).more is False
    for permit in (writes(path), reads(tmp_path / "other"), reads()):
        with pytest.raises(RefusedError):
            read_file(path, permit, max_bytes=100, limit=10)
        with pytest.raises(RefusedError):
            hash_file(path, permit, max_bytes=100)
        with pytest.raises(RefusedError):
            list_directory(str(tmp_path), permit)


def test_protected_paths_are_refused_even_with_a_permit(tmp_path: Path) -> None:
    own = tmp_path / "real"
    own.mkdir()
    (own / "key").write_text("k")
    (tmp_path / "alias").symlink_to("real")
    for protected in (str(own), str(tmp_path / "alias")):
        with pytest.raises(RefusedError, match="protected"):
            read_file(str(own / "key"), reads("/", protected=(protected,)), max_bytes=9, limit=9)
        with pytest.raises(RefusedError, match="protected"):
            write_file(str(own / "new"), b"", writes("/", protected=(protected,)))


@pytest.mark.parametrize("name", ["environ", "mem", f"task/{os.getpid()}/environ"], ids=["environ", "mem", "task"])
def test_the_environment_and_memory_of_a_process_are_never_read(name: str) -> None:
    with pytest.raises(RefusedError, match="secrets"):
        read_file(f"/proc/{os.getpid()}/{name}", reads("/"), max_bytes=1000, limit=1000)


def test_files_without_a_size_are_read_to_the_limit() -> None:
    part = read_file("/proc/version", reads("/proc/version"), max_bytes=10, limit=10)
    assert part.data == Path("/proc/version").read_bytes()[:10]
    assert part.more


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 11)
    with pytest.raises(ToolFailedError, match="11 bytes"):
        read_file(str(tmp_path / "f"), reads(tmp_path), max_bytes=10, limit=1)


def test_a_new_file_gets_0640_and_missing_parents_0750(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f"
    done = write_file(str(path), b"x", writes(path), root=str(tmp_path))
    assert done.created
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750 & ~current_umask()


def current_umask() -> int:
    old = os.umask(0)
    os.umask(old)
    return old


def test_a_root_that_does_not_exist_yet_is_created(tmp_path: Path) -> None:
    path = tmp_path / "root" / "f"
    assert write_file(str(path), b"x", writes(path), root=str(path.parent)).created
    assert write_file(f"{tmp_path}/solo", b"x", writes(tmp_path), root=f"{tmp_path}/solo").created


def test_an_existing_file_keeps_its_mode_without_set_id_bits(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o4755)
    done = write_file(str(path), b"new", writes(path))
    assert not done.created
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert path.read_text() == "new"


def test_another_hard_link_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    (tmp_path / "other").hardlink_to(path)
    assert write_file(str(path), b"new", writes(path)).unlinked
    assert (tmp_path / "other").read_text() == "old"


def test_a_write_through_a_dangling_or_late_symlink_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out" / "new")
    (tmp_path / "in" / "dir").symlink_to(tmp_path / "out")
    for path in (tmp_path / "in" / "link", tmp_path / "in" / "dir" / "x", tmp_path / "in" / "dir" / "y" / "z"):
        with pytest.raises(ToolFailedError):
            write_file(str(path), b"x", writes(path), root=str(tmp_path / "in"))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_write_needs_a_permit_and_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError):
        write_file(str(tmp_path / "f"), b"", reads(tmp_path))
    with pytest.raises(ToolFailedError):
        write_file(str(tmp_path), b"", writes(tmp_path))
    with pytest.raises(ToolFailedError):
        write_file(str(tmp_path / "file" / "x"), b"", writes(tmp_path))
    with pytest.raises(ToolFailedError):
        write_file("/", b"", writes("/"))


FLIP = """
import os, sys
base = sys.argv[1]
os.chdir(base)
while not os.path.exists("stop"):
    for name, target in (("dir", "secret"), ("file", "secret/f")):
        os.symlink(target, "l"); os.rename(name, "kept-" + name); os.rename("l", name)
        os.unlink(name); os.rename("kept-" + name, name)
"""


def test_a_swap_race_never_reads_or_writes_outside(tmp_path: Path) -> None:
    base = tmp_path / "race"
    for name in ("dir", "secret"):
        (base / name).mkdir(parents=True)
    (base / "dir" / "f").write_text("open")
    (base / "file").write_text("open")
    (base / "secret" / "f").write_text("SECRET")
    flipper = subprocess.Popen([sys.executable, "-c", FLIP, str(base)])
    seen: dict[str, int] = {}
    stop = threading.Event()
    timer = threading.Timer(1.2, stop.set)
    timer.start()
    try:
        while not stop.is_set():
            for path in (base / "dir" / "f", base / "file"):
                try:
                    part = read_file(str(path), reads(path), max_bytes=99, limit=99)
                    assert part.data in (b"open", b"mine")
                    write_file(str(path), b"mine", writes(path))
                    outcome = "done"
                except AkiliError as error:
                    outcome = type(error).__name__
                seen[outcome] = seen.get(outcome, 0) + 1
    finally:
        timer.cancel()
        (base / "stop").touch()
        flipper.wait(10)
    assert (base / "secret" / "f").read_text() == "SECRET"
    assert len(list((base / "secret").iterdir())) == 1
    assert seen.get("done", 0) > 0
    assert seen.get("ToolFailedError", 0) > 0
