from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from akili_cli.cli.query import MAX_ATTACHED_BYTES, _attached, _piped_input
from akili_cli.domain.errors import UsageError


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make standard input a pipe and give its writing end."""
    read, write = os.pipe()
    with os.fdopen(read) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield write
    with suppress(OSError):
        os.close(write)


def test_what_is_piped_in_is_read_to_its_end(pipe: int) -> None:
    os.write(pipe, "gr\u00fc\u00dfe".encode() + b"\xff")
    os.close(pipe)
    assert _piped_input(5, 5) == "gr\u00fc\u00dfe\ufffd"


@pytest.mark.parametrize("data", [b"", b" \n\t"], ids=repr)
def test_nothing_but_white_space_is_nothing(pipe: int, data: bytes) -> None:
    os.write(pipe, data)
    os.close(pipe)
    assert _piped_input(5, 5) is None


def test_a_silent_pipe_is_ignored_and_said_so(pipe: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert _piped_input(0.05, 5) is None
    assert "stayed silent for 0.05 s" in capsys.readouterr().err


def test_a_pipe_that_never_ends_is_refused_in_time(pipe: int) -> None:
    os.write(pipe, b"half a line")
    with pytest.raises(UsageError, match="did not end within"):
        _piped_input(5, 0.1)


@pytest.mark.parametrize("stdin", [None, "closed"])
def test_a_standard_input_that_is_not_there_is_nothing(stdin: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = None
    if stdin == "closed":
        with open(os.devnull) as stream:
            pass
    monkeypatch.setattr(sys, "stdin", stream)
    assert _piped_input(1, 1) is None


def test_a_file_of_exactly_the_limit_is_attached_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * MAX_ATTACHED_BYTES)
    assert _attached([path]) == [(f"file {path}", "x" * MAX_ATTACHED_BYTES)]
    path.write_bytes(b"x" * (MAX_ATTACHED_BYTES + 1))
    with pytest.raises(UsageError, match="more than 1 MiB"):
        _attached([path])


@pytest.mark.parametrize("name", ["/dev/zero", "/", "/nonexistent"])
def test_what_is_no_file_is_refused_without_reading_it(name: str) -> None:
    with pytest.raises(UsageError):
        _attached([Path(name)])


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError):
        _attached([tmp_path / "fifo"])
