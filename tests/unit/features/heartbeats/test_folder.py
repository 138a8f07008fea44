from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.domain.errors import ConfigError
from akili_cli.features.heartbeats.folder import read_file, read_folders, read_trusted
from tests.fakes.heartbeats import task_file

NOT_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "tasks"
    place.mkdir(mode=0o755)
    return place


def put(folder: Path, name: str = "a.md", mode: int = 0o644) -> Path:
    path = folder / name
    path.write_text(task_file())
    path.chmod(mode)
    return path


def problem(folder: Path) -> str:
    found = read_folders([folder])
    assert [file.tasks for file in found.files] == [()]
    return found.files[0].problems[0]


def test_the_markdown_files_of_a_directory_are_read_and_no_others(folder: Path) -> None:
    put(folder, "b.md")
    put(folder)
    put(folder, "c.txt")
    put(folder, ".hidden.md")
    (folder / "below").mkdir()
    put(folder / "below", "d.md")
    found = read_folders([folder, folder])
    assert [Path(file.path).name for file in found.files] == ["a.md", "b.md"]
    assert found.problems == ()


def test_a_directory_that_is_not_there_is_said_and_the_others_are_read(folder: Path) -> None:
    put(folder)
    found = read_folders([folder / "none", folder, Path("/nul\0l")])
    assert len(found.files) == 1
    assert "No such file" in found.problems[0]
    assert len(found.problems) == 2


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o777])
def test_a_file_that_others_may_write_is_refused(folder: Path, mode: int) -> None:
    put(folder, mode=mode)
    assert f"can be written by others (mode {mode:04o})" in problem(folder)
    assert "chmod go-w" in problem(folder)


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o1777])
def test_a_directory_that_others_may_write_is_refused(folder: Path, mode: int) -> None:
    put(folder)
    folder.chmod(mode)
    assert f"the directory {folder} can be written by others" in problem(folder)


def test_a_directory_above_that_others_may_write_is_refused(folder: Path) -> None:
    put(folder)
    folder.parent.chmod(0o777)
    assert f"the directory {folder.parent} can be written by others" in problem(folder)


@NOT_ROOT
@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_belongs_to_somebody_else_is_refused(folder: Path, what: str) -> None:
    path = put(folder)
    os.chown(path if what == "file" else folder, 12345, 12345)
    assert "belongs to another user (uid 12345)" in problem(folder)


@NOT_ROOT
def test_a_link_is_judged_by_where_it_leads(folder: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    target = put(real)
    (folder / "a.md").symlink_to(target)
    assert read_folders([folder]).files[0].problems == ()
    os.chown(real, 12345, 12345)
    assert "belongs to another user" in problem(folder)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "directory", "dangling link", "loop", "device"])
def test_what_is_no_file_is_refused_and_not_waited_for(folder: Path, kind: str) -> None:
    path = folder / "a.md"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "dangling link":
            path.symlink_to(folder / "none")
        case "loop":
            path.symlink_to(path)
        case "device":
            path.symlink_to("/dev/zero")
    assert problem(folder)


def test_a_huge_file_is_not_read_whole(folder: Path) -> None:
    path = put(folder)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    assert "larger than 256 KiB" in problem(folder)


def test_a_name_of_other_bytes_can_be_shown(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md"))
    path.write_text(task_file())
    path.chmod(0o644)
    (file,) = read_folders([folder]).files
    assert file.path.encode().endswith(b"\\xff.md")


def test_checking_reads_a_file_whoever_wrote_it(folder: Path) -> None:
    path = put(folder, mode=0o666)
    assert read_file(path) == path.read_bytes()
    with pytest.raises(ConfigError, match="written by others"):
        read_trusted(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(folder / "none.md")
