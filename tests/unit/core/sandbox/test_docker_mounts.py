from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from akili_cli.core.sandbox.docker_mounts import Mount, first_socket, mounts_for
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "inner").mkdir(parents=True)
    (folder / "file").write_text("x")
    return folder


def test_reads_are_read_only_and_writes_are_not(work: Path) -> None:
    effects = Effects(reads=(str(work), f"{work}/none"), writes=(f"{work}/inner", f"{work}/inner/new"))
    assert mounts_for(effects, (), str(work)) == (Mount(str(work)), Mount(f"{work}/inner", writable=True))


def test_what_is_shown_already_is_not_shown_twice(work: Path) -> None:
    effects = Effects(reads=(str(work), f"{work}/file", f"{work}/inner"), writes=(str(work),))
    assert mounts_for(effects, (), None) == (Mount(str(work), writable=True),)


def test_a_read_only_place_inside_a_writable_inside_a_read_only_one(work: Path) -> None:
    (work / "inner" / "deep").mkdir()
    effects = Effects(reads=(str(work), f"{work}/inner/deep"), writes=(f"{work}/inner",))
    assert [mount.path for mount in mounts_for(effects, (), None)] == [str(work), f"{work}/inner"]


def test_the_containers_own_devices_and_streams_need_no_mount() -> None:
    effects = Effects(reads=("/dev/urandom", "/proc/self/status"), writes=("/dev/null", "/proc/1/fd/pipe:[1]"))
    assert mounts_for(effects, (), None) == ()


def test_deleting_below_a_writable_directory_is_fine(work: Path) -> None:
    assert mounts_for(Effects(writes=(str(work),), deletes=(f"{work}/file",)), (), None)


NEVER = """
    / /usr /usr/bin /lib /home /home/sandbox /scratch /proc /proc/1/environ /proc/self/../1/environ /proc/selfish /sys/x
    /dev /dev/sda /run /run/x.sock /var/run/docker.sock relative /a/../b
"""


@pytest.mark.parametrize("place", [*NEVER.split(), "/a\0b", "/a\nb", "/a ", "/a\u202eb", "/a\ud800"])
@pytest.mark.parametrize("field", ["reads", "writes", "deletes"])
def test_what_can_never_be_shown_is_refused(place: str, field: str) -> None:
    with pytest.raises(SandboxError):
        mounts_for(Effects(**{field: (place,)}), (), None)


@pytest.mark.parametrize("field", ["writes", "deletes"])
def test_creating_or_deleting_needs_a_writable_directory(work: Path, field: str) -> None:
    place = "new" if field == "writes" else "file"
    with pytest.raises(SandboxError, match="without opening the directory"):
        mounts_for(Effects(reads=(str(work),), **{field: (f"{work}/{place}",)}), (), None)


def test_links_sockets_and_pipes_are_not_shown(work: Path) -> None:
    (work / "link").symlink_to("file")
    os.mkfifo(work / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{work}/sock")
        for name in ("link", "pipe", "sock"):
            with pytest.raises(SandboxError):
                mounts_for(Effects(reads=(f"{work}/{name}",)), (), None)


@pytest.mark.parametrize("name", ["inner", "inner/below"])
def test_what_is_protected_is_refused_also_through_a_link(work: Path, name: str) -> None:
    guarded = (f"{work}/inner",)
    (work / "alias").symlink_to("inner")
    for place in (f"{work}/{name}", f"{work}/{name.replace('inner', 'alias')}"):
        with pytest.raises(SandboxError):
            mounts_for(Effects(reads=(place,)), guarded, None)
    with pytest.raises(SandboxError, match="holds the protected"):
        mounts_for(Effects(writes=(str(work),)), guarded, None)
    with pytest.raises(SandboxError, match="holds the protected"):
        mounts_for(Effects(writes=(str(work),)), (f"{work}/not-yet",), None)
    with pytest.raises(SandboxError):
        mounts_for(Effects(reads=(str(work),)), guarded, f"{work}/inner")


def test_what_is_protected_below_is_hidden_once(work: Path) -> None:
    (work / "inner" / "key").write_text("k")
    guarded = (f"{work}/inner", f"{work}/inner/key", f"{work}/file", f"{work}/none")
    shown = mounts_for(Effects(reads=(str(work),)), guarded, None)
    assert shown == (
        Mount(str(work)),
        Mount(f"{work}/file", hidden=True, directory=False),
        Mount(f"{work}/inner", hidden=True),
    )


def test_the_working_directory_must_be_shown_and_be_there(work: Path) -> None:
    effects = Effects(reads=(f"{work}/inner",))
    assert mounts_for(effects, (), f"{work}/inner")
    for cwd in (str(work), f"{work}/inner/none", f"{work}/file", "/dev/null"):
        with pytest.raises(SandboxError):
            mounts_for(effects, (), cwd)


def test_a_socket_below_is_found_unless_it_is_hidden(work: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{work}/inner/s")
        assert first_socket([Mount(str(work))]) == f"{work}/inner/s"
        assert first_socket([Mount(str(work)), Mount(f"{work}/inner", hidden=True)]) is None
        assert first_socket([Mount(f"{work}/file", directory=False)]) is None
