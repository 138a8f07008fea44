"""Turns a key reference into the key: from the environment or from a file only its owner can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from akili_cli.domain.errors import ConfigError

MAX_KEY_BYTES = 8192


def read_reference(reference: str, env: Mapping[str, str]) -> str:
    """Resolve ``env://NAME`` or ``file:///absolute/path``; raises ``ConfigError`` without showing a value."""
    scheme, mark, rest = reference.partition("://")
    match scheme if mark else "":
        case "env":
            return _key(env.get(rest, ""), f"the variable {rest}")
        case "file":
            return _key(_file(Path(rest)), f"the file {rest}")
        case _:
            raise ConfigError("a secret must be given as a reference", hint="use env://NAME or file:///absolute/path")


def _file(path: Path) -> str:
    if not path.is_absolute():
        raise ConfigError(f"the key file {path} is not an absolute path", hint="use file:///absolute/path")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe must not block us
        with os.fdopen(handle, "rb") as source:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
                raise ConfigError(f"others may read the key file {path}", hint=f"chmod 600 {path}")
            raw = source.read(MAX_KEY_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the key file {path} cannot be read: {error}") from error
    if len(raw) > MAX_KEY_BYTES:
        raise ConfigError(f"the key file {path} is larger than {MAX_KEY_BYTES} bytes")
    return raw.decode("utf-8", "replace")


def _key(text: str, where: str) -> str:
    key = text.strip()
    if not key:
        raise ConfigError(f"{where} holds no key")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError(f"{where} holds something that cannot be a key: blanks or characters outside ASCII")
    return key
