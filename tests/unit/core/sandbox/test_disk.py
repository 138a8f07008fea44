from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from akili_cli.core.sandbox import disk


def fuller(watched: disk.Disk) -> disk.Disk:
    """Pretend that the file system was emptier before."""
    watched._before = {place: (space + (1 << 40), inodes) for place, (space, inodes) in watched._before.items()}
    return watched


def test_what_changed_since_counts_and_what_was_there_does_not(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x" * 3_000_000)
    since = (tmp_path / "old").stat().st_ctime + 0.001
    time.sleep(0.02)
    watched = fuller(disk.Disk([os.fsencode(tmp_path)], 2_000_000, since))
    assert not watched.is_exceeded(os.getpid())
    (tmp_path / "a" / "b").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "a" / "b" / str(number)).write_bytes(b"x" * 1_000_000)
    assert watched.is_exceeded(os.getpid())


def test_nothing_is_looked_at_while_the_file_system_is_not_fuller(tmp_path: Path) -> None:
    watched = disk.Disk([os.fsencode(tmp_path)], 1 << 50, 0.0)
    (tmp_path / "file").write_bytes(b"x")
    assert not watched.is_exceeded(os.getpid())


def test_endless_small_files_count_as_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_MAX_ENTRIES", 5)
    for number in range(6):
        (tmp_path / str(number)).touch()
    assert fuller(disk.Disk([os.fsencode(tmp_path)], 1 << 30, 0.0)).is_exceeded(os.getpid())


def test_a_file_without_a_name_counts_while_it_is_open(tmp_path: Path) -> None:
    code = "exec 9> gone; rm gone; head -c 3000000 /dev/zero >&9; sync; echo; read x"
    pipe = subprocess.PIPE
    with subprocess.Popen(["sh", "-c", code], cwd=tmp_path, stdout=pipe, stdin=pipe) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert fuller(disk.Disk([os.fsencode(tmp_path)], 2_000_000, 0.0)).is_exceeded(os.getpid())
        holder.communicate(b"x")


def test_a_place_that_is_gone_is_no_error(tmp_path: Path) -> None:
    watched = disk.Disk([os.fsencode(tmp_path / "none")], 100, 0.0)
    assert not watched.is_exceeded(os.getpid())
    assert disk._changed_bytes(os.fsencode(tmp_path / "none"), 0.0, 100) == 0
