"""Which places may keep secrets, what tools may ask of them, and what else is to be hidden."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Allowed = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MAX_PATTERNS = 50


class SecretProviderSettings(BaseModel):
    """One place. The operator's own configuration may use all of it, a tool only what ``allow`` names.

    ``allow`` holds names of variables (``env``), directories (``file``) or services (``keyring``); ``prefix`` is
    the beginning of further variables (``env`` only). Keys of model providers are never for tools.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["env", "file", "keyring"]
    allow: tuple[Allowed, ...] = Field((), strict=False)
    prefix: Allowed | None = None


def _all_providers() -> tuple[SecretProviderSettings, ...]:
    return tuple(SecretProviderSettings(type=kind) for kind in ("env", "file", "keyring"))


class SecretsSettings(BaseModel):
    """``secrets``: the places references may point to, and patterns of further texts to hide."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    providers: tuple[SecretProviderSettings, ...] = Field(default_factory=_all_providers, strict=False)
    patterns: tuple[Annotated[str, StringConstraints(min_length=1, max_length=400)], ...] = Field(
        (), strict=False, max_length=MAX_PATTERNS, description="regular expressions; group 1 alone is hidden, if any"
    )
