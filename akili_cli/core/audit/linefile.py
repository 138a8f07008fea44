"""The JSONL mirror: append-only files per stream, written after the rows and mended from them.

A stream begins with ``<stream>.jsonl``; when a segment is full the next one begins, ``<stream>.2.jsonl`` and so on.
The chain goes on across them. The writer holds a lock on the first segment while it lives.

The rows are committed and on the disk before a line is written, so a file never knows more than the table. Lines
reach the kernel before an append is acknowledged, and the disk when the stream is closed; what a crash or a power
cut leaves missing at the end is filled in from the rows when the next process opens the log.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from akili_cli.core.audit.chain import line_of, split_line
from akili_cli.domain.errors import AkiliError, AuditError

_TAIL_BYTES = 4 << 20
_BATCH = 1000

LinesAfter = Callable[[int, int], list[tuple[int, str, str]]]


SEGMENT_BYTES = 64 << 20


def file_of(directory: Path, stream: str, segment: int = 1) -> Path:
    """Give the path of one of a stream's segments; the first one is the stream's file."""
    return directory / (f"{stream}.jsonl" if segment == 1 else f"{stream}.{segment}.jsonl")


def segments_of(directory: Path, stream: str) -> list[Path]:
    """Give a stream's segments in order, as far as they follow one another; at least the first."""
    found = [file_of(directory, stream)]
    while os.path.lexists(following := file_of(directory, stream, len(found) + 1)):
        found.append(following)
    return found


def has_content(path: Path) -> bool:
    """Tell whether a file is more than the empty one that a process leaves which ended before its first record."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return True
    return not stat.S_ISREG(state.st_mode) or state.st_size > 0


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

    def __init__(self, directory: Path, stream: str, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Create the first segment; raises ``OSError``, also when it exists."""
        self._directory = directory
        self._stream = stream
        self._segment_bytes = segment_bytes
        self._segment = 1
        self._size = 0
        self._fd = self._lock_fd = self._create()
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def require_name(self) -> None:
        """Raise ``OSError`` when the file was removed: what is written to it would be lost."""
        if os.fstat(self._fd).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the audit file was removed while it was in use")

    def require_room(self) -> None:
        """Raise ``OSError`` when the file was removed, is another's to mend, or its disk is full."""
        self.require_name()
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstatvfs(self._fd).f_bavail == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, data: bytes) -> None:
        """Append all of it, to the next segment when this one is full; raises ``OSError``, and then a part may be
        in the file.
        """
        if self._size and self._size + len(data) > self._segment_bytes:
            self._begin_segment()
        _write_all(self._fd, data)
        self._size += len(data)

    def close(self) -> None:
        """Bring the file to the disk and let go of it; raises ``OSError``."""
        try:
            os.fsync(self._fd)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of it as it is."""
        for fd in {self._fd, self._lock_fd}:
            os.close(fd)

    def _begin_segment(self) -> None:
        os.fsync(self._fd)
        self._segment += 1
        full, self._fd = self._fd, self._create()
        self._size = 0
        if full != self._lock_fd:
            os.close(full)

    def _create(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(file_of(self._directory, self._stream, self._segment), flags, 0o600)


class LineReader:
    """Reads a stream's segments line by line, whoever wrote them; a line of more than 4 MiB comes in pieces."""

    def __init__(self, *paths: Path) -> None:
        """Open them without following links or waiting; raises ``OSError``."""
        self._files: list[BinaryIO] = []
        self._held = b""
        try:
            for path in reversed(paths):
                self._files.append(_open_to_read(path))
        except OSError:
            self.close()
            raise

    def next(self) -> bytes:
        """Give the next line with its newline, empty at the end."""
        if self._held:
            line, self._held = self._held, b""
            return line
        return self._read()

    def take(self, lines: bytes) -> bool:
        """Go past these lines if they are what follows in one segment, else stay where it is; tell which."""
        if self._held:
            return False
        while len(self._files) > 1 and not self._files[-1].peek(1):  # type: ignore[attr-defined] # buffered
            self._files.pop().close()
        start = self._files[-1].tell()
        if self._files[-1].read(len(lines)) == lines:
            return True
        self._files[-1].seek(start)
        return False

    def hold(self, line: bytes) -> None:
        """Put a line back."""
        self._held = line

    def peek(self) -> bytes:
        """Give the next line without taking it."""
        self._held = self._held or self._read()
        return self._held

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _read(self) -> bytes:
        while not (line := self._files[-1].readline(_TAIL_BYTES)) and len(self._files) > 1:
            self._files.pop().close()
        return line


def _open_to_read(path: Path) -> BinaryIO:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError("not a regular file")
    return os.fdopen(fd, "rb", buffering=1 << 18)


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
    """Append to a dead stream's last segment what its files lack of its rows; give how many lines.

    ``path`` is the first segment. None means that a living process writes the stream. Raises ``AuditError`` when a
    file is missing or what they hold are not these rows: then they are left as they are, as evidence.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fds: list[int] = []
    try:
        fds.append(os.open(path, flags))
        try:
            fcntl.flock(fds[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        fds += [os.open(more, flags) for more in segments_of(path.parent, path.stem)[1:]]
        return _append_missing(fds, path.name, lines_after)
    except OSError as error:
        raise AuditError(f"{path.name} cannot be mended: {error.strerror or error}") from error
    finally:
        for fd in fds:
            os.close(fd)


def _append_missing(fds: list[int], name: str, lines_after: LinesAfter) -> int:
    last, torn = _tail(fds[-1])
    for fd in reversed(fds[:-1]):
        if last:
            break
        last, cut = _tail(fd)
        if cut:
            raise AuditError(f"{name} is cut before its last segment")
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
        _write_all(fds[-1], data[len(torn) :])
        torn, seq, added = b"", rows[-1][0], added + len(rows)
    if torn:
        raise AuditError(f"{name} ends in a piece of a line that is not in the table")
    if added:
        os.fsync(fds[-1])
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


def not_written(error: AkiliError | OSError) -> AuditError:
    """Say of a failed write that nothing is recorded, why, and what to do."""
    reason = str(error) if isinstance(error, AkiliError) else error.strerror or str(error)
    hint = error.hint if isinstance(error, AkiliError) else "check the disk that holds the audit directory"
    return AuditError(f"the audit record could not be written: {reason}", hint=hint)
