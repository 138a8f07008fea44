"""``env://NAME``: a variable of the environment akili was started in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from akili_cli.adapters.secrets.base import Reference, usable
from akili_cli.domain.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


class EnvironmentSecrets:
    """Reads variables; the only part below the configuration that sees the environment."""

    def __init__(self, env: Mapping[str, str], *, allow: frozenset[str], prefix: str | None) -> None:
        """Keep the environment and what tools may ask for: names, and a beginning of names."""
        self._env = env
        self._allow = allow
        self._prefix = prefix

    def value(self, reference: Reference) -> str:
        """Give the variable's value; raises ``ConfigError`` when it is unset or empty."""
        name = reference.place
        if not _NAME.fullmatch(name):
            raise ConfigError("env:// must be followed by the name of a variable", hint="for example env://DB_PASSWORD")
        if not self._env.get(name, "").strip():
            raise ConfigError(f"the variable {name} is not set", hint=f"export {name}=... before akili starts")
        return usable(self._env[name], f"the variable {name}")

    def refusal(self, reference: Reference) -> str | None:
        """Refuse a tool every variable that the operator did not name."""
        name = reference.place
        if name in self._allow or (self._prefix is not None and name.startswith(self._prefix)):
            return None
        return f"the env provider of secrets.providers neither allows {name[:80]} nor a prefix of it"
