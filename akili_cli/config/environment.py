"""What the environment may set, and which of its variables look like a mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.planned import KNOWN_VARIABLES, REFUSED_VARIABLES
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.nearest import nearest

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGNAL = {"SIGNAL_API_URL": "api_url", "SIGNAL_SENDER_NUMBER": "sender_number"}
_OFF = frozenset({"", "0", "false", "no", "off"})


def environment_settings(env: Mapping[str, str]) -> dict[KeyPath, object]:
    """Give the settings that variables stand for; raises ``ConfigError`` for one that has no effect here."""
    for name, instead in REFUSED_VARIABLES.items():
        if env.get(name, "").lower() not in _OFF:
            raise ConfigError(f"{name} is set, but this version does not read it", hint=instead)
    out: dict[KeyPath, object] = {
        ("notification", "signal", key): env[name] for name, key in _SIGNAL.items() if env.get(name)
    }
    dsn = env.get("AKILI_DB_DSN")
    if dsn:
        out |= {("storage", "driver"): "postgres", ("storage", "postgres", "dsn"): dsn}
    return out


def unknown_variables(env: Mapping[str, str]) -> tuple[str, ...]:
    """Give a warning for each ``AKILI_`` variable that nothing reads."""
    known = KNOWN_VARIABLES | REFUSED_VARIABLES.keys()
    return tuple(
        f"the variable {name[:80]} is not read by akili{nearest(name, sorted(known))}"
        for name in sorted(env)
        if name.startswith("AKILI_") and not name.startswith("AKILI_TEST_") and name not in known
    )


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace each ``${NAME}``; raises ``ValueError`` for one that is malformed, unset or empty."""

    def value(match: re.Match[str]) -> str:
        if not match[0].endswith("}") or not _NAME.fullmatch(match[1]):
            raise ValueError("`${` must be followed by a variable name and `}`")
        if not env.get(match[1]):
            raise ValueError(f"the variable {match[1]} is not set")
        return env[match[1]]

    return _REFERENCE.sub(value, text)
