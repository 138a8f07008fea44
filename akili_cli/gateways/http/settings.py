"""Settings of the HTTP gateway: ``gateways.http``, and what must not be started with them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from akili_cli.adapters.net.listen import is_loopback, parse_listen
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.hosts import host_name, split_host
from akili_cli.features.webhooks.settings import WebhookSettings
from akili_cli.gateways.http.weak import is_digest, is_reference, weakness

_USER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_ORIGIN = re.compile(r"(?:https?)://([^/?#@\s\\]+)")
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


def _listen(text: str) -> str:
    try:
        parse_listen(text)
    except ConfigError as error:
        raise ValueError(f"{error}; {error.hint}") from None
    return text


def _origin(text: str) -> str:
    found = _ORIGIN.fullmatch(text)
    name = split_host(found[1])[0] if found else ""
    if found is None or host_name(name) is None or text != text.lower():
        raise ValueError("must be one origin in small letters, as https://console.example.com (no *, no path)")
    return text


def _users(value: object) -> object:
    """Check the keys of static callers; each is spoken of by its place, since its name is the secret.

    In brackets, since a word right behind such a setting's name would be hidden as its value.
    """
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of keys to users")  # noqa: TRY004 - the model reports values
    for place, (key, user) in enumerate(value.items(), 1):
        if not isinstance(key, str) or not isinstance(user, str) or not _USER.fullmatch(user):
            raise ValueError(f"(entry {place}) must be a key and the name of its user")
        what = None if is_reference(key) or is_digest(key) else weakness(key)
        if what:
            raise ValueError(f"(entry {place}) the key {what}; make one with `akili keys create`")
    return value


def _named_once(hooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    names = [hook.name for hook in hooks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"more than one webhook is called {twice!r}")
    return hooks


class RateLimitSettings(BaseModel):
    """``gateways.http.rate_limit``: how many requests each user may send; 0 means no limit."""

    model_config = _STRICT

    requests_per_minute: int = Field(0, ge=0, le=1_000_000)
    burst_size: int = Field(0, ge=0, le=1_000_000, description="at once; 0 means as many as in a minute")


class HttpSettings(BaseModel):
    """``gateways.http``: where it listens, who may come in, and how much at once."""

    model_config = _STRICT

    enabled: bool = False
    listen_addr: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8080", description="`IP:port`, or `:port` for every address of this machine"
    )
    enable_docs: bool = Field(False, description="serve /docs, /redoc and /openapi.json")
    sse: bool = Field(False, description="serve POST /v1/query/stream")
    max_request_size_bytes: int = Field(1_048_576, ge=1024, le=1_048_576, description="a larger body is answered 413")
    api_key_user_mapping: Annotated[dict[str, str], BeforeValidator(_users)] = Field(
        default_factory=dict, description="key, `sha256:<hex>` of one, or a reference to one -> user"
    )
    rate_limit: RateLimitSettings = RateLimitSettings.model_validate({})
    cors_origins: tuple[Annotated[str, StringConstraints(max_length=300), AfterValidator(_origin)], ...] = Field(
        (), strict=False, max_length=100, description="origins whose pages may call from a browser"
    )
    max_concurrent_runs: int = Field(64, ge=1, le=1000, description="queries under way at once, on all nodes together")
    webhooks: Annotated[tuple[WebhookSettings, ...], AfterValidator(_named_once)] = Field(
        (), strict=False, max_length=100, description="deliveries from outside that begin a run"
    )


def check_http(settings: HttpSettings, *, has_keys: bool) -> tuple[str, ...]:
    """Give warnings about a gateway that is about to listen.

    Raises ``ConfigError`` when it would be reachable from other machines although nobody has a key.
    """
    if not settings.enabled or has_keys:
        return ()
    how = "make one with `akili keys create --user USER`"
    host, _port = parse_listen(settings.listen_addr)
    if not is_loopback(host):
        raise ConfigError(
            "gateways.http.listen_addr is reachable from other machines, and there is no API key",
            hint=f"{how}, or listen on 127.0.0.1",
        )
    return (f"gateways.http is on and there is no API key, so nobody can come in; {how}",)
