"""Chooses and builds the model a run speaks to, from the settings and the environment."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Protocol, cast
from urllib.parse import urlsplit

from akili_cli.adapters.llm.base import Peer
from akili_cli.adapters.llm.fallback import FallbackModel
from akili_cli.adapters.llm.settings import PriceSettings, ProviderSettings, ProvidersSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError, ConfigError
from akili_cli.domain.messages import Model
from akili_cli.domain.registry import Registry

BUILTIN = "builtin"
KINDS = Registry(
    "model provider kind",
    {
        "openai_compatible": "akili_cli.adapters.llm.providers.openai_compatible:OpenAICompatible",
        "litellm": "akili_cli.adapters.llm.providers.litellm:LiteLLM",
    },
)
DEFAULT_CONTEXT_TOKENS = 128_000
_REFERENCES = ("env://", "file://", "vault://", "keyring://")

Resolve = Callable[[str], str]
RegisterSecret = Callable[[str, str], None]


class _Kind(Protocol):
    """What every provider class is built with."""

    def __call__(
        self,
        peer: Peer,
        base_url: str | None,
        *,
        clock: Clock,
        prices: PriceSettings | None,
        max_tokens: int | None,
        timeout_s: float | None,
    ) -> Model: ...


@dataclass(frozen=True, slots=True)
class _Known:
    """What is assumed of a provider whose name everybody knows."""

    kind: str
    model: str
    key_variable: str | None = None
    base_url: str | None = None


KNOWN = {
    "anthropic": _Known("litellm", "claude-sonnet-4-5-20250929", "ANTHROPIC_API_KEY"),
    "openai": _Known("openai_compatible", "gpt-4o", "OPENAI_API_KEY", "https://api.openai.com"),
    "gemini": _Known("litellm", "gemini-2.0-flash", "GEMINI_API_KEY"),
    "ollama": _Known("openai_compatible", "llama3.1", None, "http://localhost:11434"),
}


@dataclass(frozen=True, slots=True)
class OpenedModels:
    """The model to use, the limits its operator set, and what had to be left out.

    The limits are those of the first provider; every provider also keeps to its own when it is the fallback.
    """

    model: Model
    max_tokens: int
    timeout_s: float
    context_tokens: int
    warnings: tuple[str, ...] = ()


def open_models(
    settings: ProvidersSettings,
    *,
    env: Mapping[str, str],
    builtin: Model,
    resolve: Resolve,
    register_secret: RegisterSecret,
    clock: Clock,
) -> OpenedModels:
    """Build the default model with its fallbacks.

    1. ``providers.default``, else the first of Anthropic, OpenAI and Gemini whose key is in the environment,
       else ``builtin``.
    2. A default that cannot be built raises ``ConfigError`` that names the setting or the variable.
    3. A fallback that cannot be built is left out, with a warning.
    """
    build = _Builder(settings, env, builtin, resolve, register_secret, clock)
    name = settings.default or _from_environment(env)
    warnings: list[str] = []
    if name is None:
        warnings += [f"providers.{own} is not used: providers.default is not set" for own in build.named()]
    name = name or BUILTIN
    model = build.model(name)
    own = build.own(name) or ProviderSettings.model_validate({})
    opened = OpenedModels(
        model=model,
        max_tokens=own.max_tokens,
        timeout_s=float(own.timeout_seconds),
        context_tokens=own.context_tokens or DEFAULT_CONTEXT_TOKENS,
    )
    if model is builtin:
        warnings += [f"providers.fallback: {other} is not used after {name}" for other in settings.fallback]
        return replace(opened, warnings=tuple(warnings))
    models = [model]
    for other in dict.fromkeys(settings.fallback):
        if other == name:
            continue
        try:
            models.append(build.model(other))
        except ConfigError as error:
            warnings.append(f"providers.fallback: {other} is left out: {error}")
    chain = FallbackModel(models) if len(models) > 1 else model
    return replace(opened, model=chain, warnings=tuple(warnings))


def chosen_provider(settings: ProvidersSettings, env: Mapping[str, str]) -> str:
    """Name the provider that ``open_models`` would take first, without building it."""
    return settings.default or _from_environment(env) or BUILTIN


def _from_environment(env: Mapping[str, str]) -> str | None:
    for name, known in KNOWN.items():
        if known.key_variable and env.get(known.key_variable, "").strip():
            return name
    return None


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds one provider at a time."""

    settings: ProvidersSettings
    env: Mapping[str, str]
    builtin: Model
    resolve: Resolve
    register_secret: RegisterSecret
    clock: Clock

    def named(self) -> tuple[str, ...]:
        """Give the names the operator configured."""
        known = tuple(name for name in KNOWN if getattr(self.settings, name) is not None)
        return known + tuple(self.settings.__pydantic_extra__)

    def own(self, name: str) -> ProviderSettings | None:
        """Give what the operator configured for a name."""
        if name in KNOWN:
            return cast("ProviderSettings | None", getattr(self.settings, name))
        return self.settings.__pydantic_extra__.get(name)

    def model(self, name: str) -> Model:
        """Build one provider; raises ``ConfigError`` naming the setting that is wrong or missing."""
        own, known = self.own(name), KNOWN.get(name)
        if own is None and name == BUILTIN:
            return self.builtin
        if own is None and known is None:
            raise _unknown(name, (*self.named(), *KNOWN, BUILTIN))
        own = own or ProviderSettings.model_validate({})
        kind = own.kind or (known.kind if known else BUILTIN if name == BUILTIN else None)
        if kind == BUILTIN:
            return self.builtin
        if kind not in KINDS.names():
            said = "is missing" if kind is None else f"{kind!r} is not known"
            raise ConfigError(f"providers.{name}.kind {said}", hint=f"use {', '.join((*KINDS.names(), BUILTIN))}")
        model = own.model or (known.model if known else None)
        if model is None or not (model.strip() and model.isprintable()):
            raise ConfigError(f"providers.{name}.model is missing", hint="name the model as the provider does")
        base_url = own.base_url or (known.base_url if known else None)
        if base_url is None and kind == "openai_compatible":
            raise ConfigError(f"providers.{name}.base_url is missing", hint="for example http://localhost:8000")
        if base_url is not None:
            check_base_url(base_url, f"providers.{name}.base_url")
        check_price(own.price, f"providers.{name}.price")
        key_name, key = self._key(name, own.api_key, known)
        make = cast("_Kind", KINDS.load(kind))
        return make(
            Peer(name, model, key_name, key),
            base_url,
            clock=self.clock,
            prices=own.price,
            max_tokens=own.max_tokens,
            timeout_s=float(own.timeout_seconds),
        )

    def _key(self, name: str, reference: str | None, known: _Known | None) -> tuple[str | None, str | None]:
        """Give where the key is and the key; nothing where none is needed."""
        if reference is None and known is not None and known.key_variable:
            reference = f"env://{known.key_variable}"
        if reference is None:
            return None, None
        path = f"providers.{name}.api_key"
        if not reference.startswith(_REFERENCES):
            raise ConfigError(f"{path} must be a reference, not the key itself", hint="use env://NAME")
        where = reference.removeprefix("env://")
        if reference.startswith("env://") and not self.env.get(where, "").strip():
            raise ConfigError(
                f"provider {name} needs a key: {where} is not set", hint=f"export {where}=... or set {path}"
            )
        try:
            key = self.resolve(reference).strip()
        except AkiliError as error:
            raise ConfigError(f"{path}: {error}", hint=error.hint) from error
        if not key or not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigError(f"{path}: {reference} does not hold a usable key")
        self.register_secret(key, reference)
        return where, key


def _unknown(name: str, names: tuple[str, ...]) -> ConfigError:
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(dict.fromkeys(names))}"
    return ConfigError(f"provider {name!r} is not configured: providers.{name}.kind is missing", hint=hint)


def check_base_url(base_url: str, path: str) -> None:
    """Accept ``http(s)://host[:port][/path]`` only; anything else raises ``ConfigError`` naming ``path``."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not (base_url.isascii() and base_url.isprintable()) or set(base_url) & set(" \\"):
        raise ConfigError(f"{path} is not a URL", hint="for example https://api.example.com/v1")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"{path} holds a user name", hint="put the key into api_key as a reference")
    if parts.query or parts.fragment or base_url.endswith(("?", "#")):
        raise ConfigError(f"{path} must end with its path", hint="leave out ? and #")


def check_price(price: PriceSettings | None, path: str) -> None:
    """Refuse half a price, a price that is also free, and one that is no number."""
    if price is None:
        return
    rates = (price.input_usd_per_million, price.output_usd_per_million)
    if price.free and any(rates):
        raise ConfigError(f"{path} is both free and not free", hint="leave out one of them")
    if not price.free and None in rates:
        raise ConfigError(f"{path} needs input_usd_per_million and output_usd_per_million", hint="or free: true")
    if any(rate is not None and not math.isfinite(rate) for rate in rates):
        raise ConfigError(f"{path} must be finite")
