from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.adapters.files.atomic import write_atomic, write_private
from akili_cli.domain.errors import ToolFailedError, WorkspaceError


@pytest.fixture
def dir_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.name != "home")


def test_a_new_file_has_the_content_and_the_mode(tmp_path: Path, dir_fd: int) -> None:
    write_atomic(dir_fd, "a", b"hello", 0o640)
    assert (tmp_path / "a").read_bytes() == b"hello"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert names(tmp_path) == ["a"]


def test_large_and_empty_content_are_written_whole(tmp_path: Path, dir_fd: int) -> None:
    for data in (b"", os.urandom(3_000_000)):
        write_atomic(dir_fd, "a", data, 0o600)
        assert (tmp_path / "a").read_bytes() == data


def test_the_owner_is_kept_when_the_system_allows_it(tmp_path: Path, dir_fd: int) -> None:
    write_atomic(dir_fd, "a", b"x", 0o600, owner=(12345, 12345))
    found = (tmp_path / "a").stat()
    assert found.st_uid == (12345 if os.geteuid() == 0 else os.geteuid())


def test_a_symlink_is_replaced_and_not_written_through(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_atomic(dir_fd, "link", b"new", 0o600)
    assert (tmp_path / "target").read_text() == "old"
    assert not (tmp_path / "link").is_symlink()


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(ToolFailedError, match="sub"):
        write_atomic(dir_fd, "sub", b"x", 0o600)
    assert names(tmp_path) == ["sub"]


def test_a_private_file_is_0600_below_0700_parents(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "config.yaml"
    write_private(target, b"secret")
    assert target.read_bytes() == b"secret"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700


def test_a_private_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="config"):
        write_private(tmp_path / "file" / "config.yaml", b"x")
