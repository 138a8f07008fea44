"""Which models may be called, and how."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PriceSettings(BaseModel):
    """What a model costs, in USD per million tokens; ``free`` says that 0 is meant."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    input_usd_per_million: float | None = Field(None, ge=0, strict=False)
    output_usd_per_million: float | None = Field(None, ge=0, strict=False)
    free: bool = False


class ProviderSettings(BaseModel):
    """One provider. ``api_key`` is a reference (``env://NAME`` or ``file:///path``), never the key itself.

    ``kind`` says how it is spoken to: ``litellm``, ``openai_compatible`` or ``builtin``; the seed's names
    (anthropic, openai, gemini, ollama) have theirs by default.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    timeout_seconds: int = Field(120, ge=1, le=3600)
    max_tokens: int = Field(4096, ge=1)
    context_tokens: int | None = Field(None, ge=1000, description="the model's context window; None = 128,000")
    price: PriceSettings | None = None


class ProvidersSettings(BaseModel):
    """``providers``: the default, the ordered fallback, and each provider under its own name."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    __pydantic_extra__: dict[str, ProviderSettings]

    default: str | None = None
    fallback: tuple[str, ...] = Field((), strict=False)
    anthropic: ProviderSettings | None = None
    openai: ProviderSettings | None = None
    gemini: ProviderSettings | None = None
    ollama: ProviderSettings | None = None
