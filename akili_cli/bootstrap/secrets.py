"""Resolves secret references of the configuration, in the last call before use."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from akili_cli.domain.errors import ConfigError


class SecretResolver:
    """Knows ``env://NAME`` and ``file:///absolute/path``."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Keep the environment."""
        self._env = env

    def resolve(self, reference: str) -> str:
        """Give the value; raises ``ConfigError`` that names the reference, never a value."""
        scheme, _, rest = reference.partition("://")
        if scheme == "env":
            value = self._env.get(rest, "")
            if not value:
                raise ConfigError(f"{reference} is not set", hint=f"export {rest}=...")
            return value
        if scheme == "file":
            return self._file(reference, Path(rest))
        raise ConfigError(f"{reference!r} is not a secret reference", hint="use env://NAME or file:///path")

    def _file(self, reference: str, path: Path) -> str:
        try:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode) or mode & 0o077:
                raise ConfigError(f"{reference} must be a file that only its owner can read", hint=f"chmod 600 {path}")
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{reference} cannot be read: {error}") from error
        if not value:
            raise ConfigError(f"{reference} is empty")
        return value
