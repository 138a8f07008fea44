"""The one door to secret values: a reference comes in, a value goes out, and the value is hidden from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from akili_cli.adapters.secrets.base import Reference, SecretProvider, SecretStore, parse_reference
from akili_cli.adapters.secrets.providers.env import EnvironmentSecrets
from akili_cli.adapters.secrets.providers.file import FileSecrets
from akili_cli.adapters.secrets.providers.keyring import KeyringSecrets
from akili_cli.adapters.secrets.settings import SecretProviderSettings, SecretsSettings
from akili_cli.adapters.secrets.taint import parts_of
from akili_cli.domain.errors import ConfigError, PolicyDeniedError

Register = Callable[[str, str], None]


class SecretChain:
    """Resolves references with the providers the operator lists, in the last moment before use.

    Two kinds of askers: the operator's own configuration may use every listed provider; a tool only what the
    provider's ``allow`` and ``prefix`` name, and never a reference in ``reserved`` (keys of model providers,
    the database).
    """

    def __init__(
        self,
        settings: SecretsSettings,
        *,
        env: Mapping[str, str],
        directory: Path,
        register: Register,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        """Build the providers; ``directory`` is where akili keeps secrets of its own."""
        self._providers: dict[str, SecretProvider] = {
            one.type: _provider(one, env, directory) for one in settings.providers
        }
        self._register = register
        self._reserved = reserved

    def resolve(self, reference: str) -> str:
        """Give a value to the operator's configuration; it is registered before it is returned.

        Raises ``ConfigError`` without showing any value.
        """
        return self._value(self._parsed(reference))

    def resolve_for_tool(self, reference: str) -> str:
        """Give a value to a tool; raises ``PolicyDeniedError`` for one that tools may not use, else as above."""
        self.check_for_tool(reference)
        return self._value(self._parsed(reference))

    def check_for_tool(self, reference: str) -> None:
        """Raise ``PolicyDeniedError`` when a tool may not use this reference; no value is looked up."""
        parsed = self._parsed(reference)
        why = self._providers[parsed.scheme].refusal(parsed)
        if reference in self._reserved:
            why = "it is a key of akili's own configuration"
        if why is not None:
            raise PolicyDeniedError(
                f"tools may not use {parsed}: {why}", hint="the operator lists what tools may use in secrets.providers"
            )

    def store(self, kind: str) -> SecretStore:
        """Give the store behind ``file`` or ``keyring``; raises ``ConfigError`` when it is not listed."""
        provider = self._providers.get(kind)
        if not isinstance(provider, FileSecrets | KeyringSecrets):
            raise ConfigError(
                f"secrets cannot be kept in {kind!r}", hint="use --provider file or --provider keyring, if listed"
            )
        return provider

    def listed(self) -> tuple[Reference, ...]:
        """Give the references of everything akili keeps."""
        stores = [one for one in self._providers.values() if isinstance(one, FileSecrets | KeyringSecrets)]
        return tuple(reference for store in stores for reference in store.listed())

    def _parsed(self, reference: str) -> Reference:
        return parse_reference(reference, tuple(self._providers))

    def _value(self, reference: Reference) -> str:
        value = self._providers[reference.scheme].value(reference)
        for part in parts_of(value):
            self._register(part, str(reference))
        return value


def _provider(settings: SecretProviderSettings, env: Mapping[str, str], directory: Path) -> SecretProvider:
    match settings.type:
        case "env":
            return EnvironmentSecrets(env, allow=frozenset(settings.allow), prefix=settings.prefix)
        case "file":
            return FileSecrets(directory, allow=settings.allow)
        case "keyring":
            return KeyringSecrets(directory / ".keyring", allow=settings.allow)
