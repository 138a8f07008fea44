"""A connection string that keeps its password out of every text."""

from __future__ import annotations

from collections.abc import Mapping

CONNECT_TIMEOUT_S = 5
DEFAULTS = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "application_name": "akili",
    # A peer that vanished without a word is given up after about 25 seconds, also in the middle of a statement.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
_SECRET = ("password", "sslpassword")


class Dsn:
    """A parsed connection string; ``parts`` holds its options and our defaults for those not given."""

    def __init__(self, text: str, parts: Mapping[str, str]) -> None:
        """Keep the text as it was written and what it says."""
        self.parts = {**DEFAULTS, **parts}
        self._secrets = [text, *(parts[name] for name in _SECRET if parts.get(name))]

    def masked(self, text: str) -> str:
        """Give a driver's text without the secrets of the connection string."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text.strip()

    def shown(self) -> str:
        """Say where it leads: never user or password."""
        host = self.parts.get("host") or self.parts.get("hostaddr") or "localhost"
        port = f":{self.parts['port']}" if self.parts.get("port") else ""
        return f"{self.parts.get('dbname') or 'the default database'} at {host}{port}"
