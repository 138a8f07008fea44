"""Digests of files that a held action depends on, to notice that they changed meanwhile."""

from __future__ import annotations

import hashlib
import os
import stat

MAX_BYTES = 4_194_304
_CHUNK = 131_072


def file_digest(path: str) -> str:
    """Give a word that changes when the file does: its SHA-256, or what stands there instead of a small file.

    Never follows a link at the end of the path and never blocks on a pipe or device.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return "absent"
    except OSError as error:
        return f"unreadable ({error.strerror})"
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return "directory" if stat.S_ISDIR(status.st_mode) else "special"
        if status.st_size > MAX_BYTES:
            return f"large {status.st_size} {status.st_ino} {status.st_mtime_ns}"
        digest = hashlib.sha256()
        while chunk := os.read(fd, _CHUNK):
            digest.update(chunk)
        return f"sha256 {digest.hexdigest()}"
    finally:
        os.close(fd)
