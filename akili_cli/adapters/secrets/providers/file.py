"""``file:///absolute/path``: a file that only its owner can read, and akili's own directory of such files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from akili_cli.adapters.files.atomic import write_private
from akili_cli.adapters.secrets.base import MAX_SECRET_BYTES, Reference, stored_name, usable
from akili_cli.domain.errors import ConfigError, NotFoundError, WorkspaceError
from akili_cli.domain.paths import is_within


class FileSecrets:
    """Reads private files, and keeps named secrets as files of mode 0600 in one directory."""

    def __init__(self, directory: Path, *, allow: tuple[str, ...] = ()) -> None:
        """Keep the directory for named secrets, and the further directories tools may point into."""
        self._directory = directory
        self._allow = allow

    def value(self, reference: Reference) -> str:
        """Read the file; raises ``ConfigError`` for one that is not ours, not private, not plain or too large."""
        path = Path(reference.place)
        if not path.is_absolute() or ".." in path.parts:
            raise ConfigError("file:// must be followed by an absolute path", hint="use file:///absolute/path")
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe must not block us
            with os.fdopen(handle, "rb") as source:
                _check(path, os.fstat(handle))
                raw = source.read(MAX_SECRET_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            raise ConfigError(f"the secret file {path} cannot be read: {reason}") from error
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise ConfigError(f"the secret file {path} is not text in UTF-8") from None
        return usable(text, f"the secret file {path}")

    def refusal(self, reference: Reference) -> str | None:
        """Refuse a tool every file outside akili's own directory and the allowed ones, symlinks followed."""
        real = os.path.realpath(reference.place)
        roots = (str(self._directory), *self._allow)
        if any(is_within(real, os.path.realpath(root)) for root in roots):
            return None
        return "the file provider of secrets.providers does not allow that directory"

    def put(self, name: str, value: str) -> Reference:
        """Write the file; raises ``UsageError`` for a name and ``WorkspaceError`` for a disk that cannot."""
        path = self._directory / stored_name(name)
        write_private(path, value.encode("utf-8", "surrogateescape"))
        return Reference("file", str(path))

    def remove(self, name: str) -> None:
        """Delete the file; raises ``NotFoundError``."""
        path = self._directory / stored_name(name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise NotFoundError(f"no secret named {name!r} is stored", hint="see: akili secrets list") from None
        except OSError as error:
            raise WorkspaceError(f"cannot remove {path}: {error.strerror}") from error

    def listed(self) -> tuple[Reference, ...]:
        """Give a reference for each stored file."""
        try:
            found = sorted(entry.name for entry in self._directory.iterdir() if not entry.name.startswith("."))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise WorkspaceError(f"cannot read {self._directory}: {error.strerror}") from error
        return tuple(Reference("file", str(self._directory / name)) for name in found)


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"the secret file {path} is not a plain file")
    if found.st_uid != os.geteuid():
        raise ConfigError(f"the secret file {path} belongs to another user", hint="keep secrets in files of your own")
    if found.st_mode & 0o077:
        raise ConfigError(f"others may read the secret file {path}", hint=f"chmod 600 {path}")
