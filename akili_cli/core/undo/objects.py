"""The content-addressed store of before-images: ``objects/aa/bbbb...``, compressed, mode 0600."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from pathlib import Path

from akili_cli.adapters.files.atomic import write_private
from akili_cli.domain.errors import ToolFailedError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ObjectStore:
    """Contents by their SHA-256; the same content is kept once."""

    def __init__(self, root: Path) -> None:
        """Keep the directory, which is made with the first object; the one above it must exist."""
        self._root = root

    def path_of(self, digest: str) -> Path:
        """Give the file of a digest; raises ``ToolFailedError`` for a text that is none."""
        if not _DIGEST.fullmatch(digest):
            raise ToolFailedError(f"{digest[:70]!r} is not a digest")
        return self._root / digest[:2] / digest[2:]

    def put(self, data: bytes) -> tuple[str, int]:
        """Keep a content, on the disk when it returns; give its digest and the bytes it takes.

        Raises ``WorkspaceError`` when it cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        packed = zlib.compress(data, 1)
        path = self.path_of(digest)
        if not self._holds(path, packed):
            new = not path.parent.exists()
            self._root.mkdir(mode=0o700, exist_ok=True)
            write_private(path, packed)
            if new:
                _sync(self._root)
        return digest, len(packed)

    def get(self, digest: str) -> bytes:
        """Give a content; raises ``ToolFailedError`` when it is gone or is not what it was."""
        try:
            data = zlib.decompress(self.path_of(digest).read_bytes())
        except (OSError, zlib.error) as error:
            raise ToolFailedError(f"the kept content {digest[:12]} cannot be read: {error}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise ToolFailedError(f"the kept content {digest[:12]} was changed")
        return data

    def drop(self, digest: str) -> None:
        """Forget a content; one that is gone already is fine."""
        self.path_of(digest).unlink(missing_ok=True)

    def _holds(self, path: Path, packed: bytes) -> bool:
        try:
            return not path.is_symlink() and path.read_bytes() == packed
        except OSError:
            return False


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
