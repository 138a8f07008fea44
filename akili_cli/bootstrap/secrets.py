"""Opens the one door to secrets and tells the one filter what must never leave."""

from __future__ import annotations

import re
from collections.abc import Mapping

from akili_cli.adapters.llm.open import KNOWN
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.secrets.taint import taint_environment
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.config.paths import Workspace
from akili_cli.config.settings import Settings
from akili_cli.gateways.http.static_keys import raw_keys
from akili_cli.gateways.http.weak import is_reference


def open_secrets(settings: Settings, env: Mapping[str, str], workspace: Workspace, redactor: Redactor) -> SecretChain:
    """Give the chain of providers.

    Registered first: the environment's key-like variables and the configured patterns, so that nothing that is
    read afterwards can leave by way of an error.
    """
    taint_environment(redactor, env)
    for key in raw_keys(settings.gateways.http.api_key_user_mapping, env):
        redactor.register(key, "api-key")
    for number, pattern in enumerate(settings.secrets.patterns, 1):
        redactor.register_pattern(re.compile(pattern), f"pattern-{number}")
    return SecretChain(
        settings.secrets,
        env=env,
        directory=workspace.secrets_dir,
        register=redactor.register,
        reserved=own_references(settings),
    )


def configured_references(settings: Settings) -> tuple[str, ...]:
    """Give the references that the configuration itself uses."""
    providers = settings.providers
    configured = [getattr(providers, name) for name in KNOWN] + list(providers.__pydantic_extra__.values())
    keys = [one.api_key for one in configured if one is not None and one.api_key is not None]
    dsn = settings.storage.postgres.dsn
    token = settings.notification.whatsapp.access_token
    keys += [] if token is None else [token]
    keys += [key for key in settings.gateways.http.api_key_user_mapping if is_reference(key)]
    return tuple(keys + ([dsn] if dsn and not dsn.startswith(("postgres://", "postgresql://")) else []))


def own_references(settings: Settings) -> frozenset[str]:
    """Give the references that belong to akili itself and so never to a tool, whatever is allowed."""
    known = [f"env://{one.key_variable}" for one in KNOWN.values() if one.key_variable is not None]
    own = ["env://AKILI_DB_DSN", "env://AKILI_API_KEY", "env://AKILI_API_KEYS", "env://AKILI_WS_AGENT_TOKEN"]
    own += [f"env://{name}" for name in ("TELEGRAM_BOT_TOKEN", "SLACK_BOT_TOKEN", "WHATSAPP_ACCESS_TOKEN")]
    return frozenset([*configured_references(settings), *known, *own])
