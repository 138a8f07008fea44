"""The JSONL mirror: one append-only file per stream, written after the rows and mended from them.

The rows are committed and on the disk before a line is written, so a file never knows more than the table. Lines
reach the kernel before an append is acknowledged, and the disk when the stream is closed; what a crash or a power
cut leaves missing at the end is filled in from the rows when the next process opens the log.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

from akili_cli.core.audit.chain import line_of, split_line
from akili_cli.domain.errors import AuditError

_TAIL_BYTES = 4 << 20
_BATCH = 1000

LinesAfter = Callable[[int, int], list[tuple[int, str, str]]]


def file_of(directory: Path, stream: str) -> Path:
    """Give the path of a stream's file."""
    return directory / f"{stream}.jsonl"


def prepare_directory(directory: Path) -> None:
    """Make the directory (mode 0700); raises ``AuditError`` when others could write there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = directory.lstat()
    except OSError as error:
        raise AuditError(f"the audit directory {directory} cannot be used: {error.strerror or error}") from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise AuditError(
            f"the audit directory {directory} is not yours alone", hint=f"own it and run: chmod 700 {directory}"
        )


class LineFile:
    """The file of a stream that this process writes; locked while it lives, so that nobody mends it."""

    def __init__(self, directory: Path, stream: str) -> None:
        """Create the file; raises ``OSError``, also when it exists."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(file_of(directory, stream), flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, data: bytes) -> None:
        """Append all of it; raises ``OSError``, and then a part may be in the file."""
        _write_all(self._fd, data)

    def close(self) -> None:
        """Bring the file to the disk and let go of it; raises ``OSError``."""
        try:
            os.fsync(self._fd)
        finally:
            os.close(self._fd)

    def abandon(self) -> None:
        """Let go of it as it is."""
        os.close(self._fd)


class LineReader:
    """Reads a stream's file line by line, whoever wrote it; a line of more than 4 MiB comes in pieces."""

    def __init__(self, path: Path) -> None:
        """Open it without following links or waiting; raises ``OSError``."""
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError("not a regular file")
        self._file = os.fdopen(fd, "rb", buffering=1 << 18)
        self._held = b""

    def next(self) -> bytes:
        """Give the next line with its newline, empty at the end."""
        if self._held:
            line, self._held = self._held, b""
            return line
        return self._file.readline(_TAIL_BYTES)

    def take(self, lines: bytes) -> bool:
        """Go past these lines if they are what follows, else stay where it is; tell which."""
        if self._held:
            return False
        start = self._file.tell()
        if self._file.read(len(lines)) == lines:
            return True
        self._file.seek(start)
        return False

    def hold(self, line: bytes) -> None:
        """Put a line back."""
        self._held = line

    def peek(self) -> bytes:
        """Give the next line without taking it."""
        self._held = self._held or self._file.readline(_TAIL_BYTES)
        return self._held

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def is_locked(path: Path) -> bool:
    """Tell whether a living process writes this file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def mend(path: Path, lines_after: LinesAfter) -> int | None:
    """Append to a dead stream's file what it lacks of its rows; give how many lines.

    None means that a living process writes the file. Raises ``AuditError`` when the file is missing or what it
    holds are not these rows: then it is left as it is, as evidence.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise AuditError(f"{path.name} cannot be opened: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return _append_missing(fd, path.name, lines_after)
    except OSError as error:
        raise AuditError(f"{path.name} cannot be mended: {error.strerror or error}") from error
    finally:
        os.close(fd)


def _append_missing(fd: int, name: str, lines_after: LinesAfter) -> int:
    last, torn = _tail(fd)
    seq = 0
    if last:
        seq = _seq_of(last)
        same = lines_after(seq - 1, 1) if seq else []
        if not same or line_of(same[0][1], same[0][2]) != last:
            raise AuditError(f"{name} ends in a line that is not in the table")
    added = 0
    while rows := lines_after(seq, _BATCH):
        data = b"".join(line_of(body, entry_hash) for _, body, entry_hash in rows)
        if not data.startswith(torn):
            raise AuditError(f"{name} ends in a piece that is not of the next line in the table")
        _write_all(fd, data[len(torn) :])
        torn, seq, added = b"", rows[-1][0], added + len(rows)
    if torn:
        raise AuditError(f"{name} ends in a piece of a line that is not in the table")
    if added:
        os.fsync(fd)
    return added


def _tail(fd: int) -> tuple[bytes, bytes]:
    """Give the last whole line (newline included) and what stands after it."""
    size = os.fstat(fd).st_size
    start = max(0, size - _TAIL_BYTES)
    data = os.pread(fd, size - start, start)
    end = data.rfind(b"\n") + 1
    begin = data.rfind(b"\n", 0, max(end - 1, 0)) + 1
    return data[begin:end], data[end:]


def _seq_of(line: bytes) -> int:
    """Give the number a line says it has, 0 when it says none."""
    split = split_line(line)
    if split is None:
        return 0
    digits = split[0].partition(b'"seq":')[2].partition(b",")[0]
    return int(digits) if digits.isdigit() and len(digits) < 19 else 0  # noqa: PLR2004 - what a bigint holds


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
