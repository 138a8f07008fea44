"""``web_fetch``: what a web server answers, through the net door."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from akili_cli.adapters.net.urls import parse_url
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.settings import WebToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ToolFailedError
from akili_cli.domain.risk import Risk

if TYPE_CHECKING:
    from akili_cli.adapters.net.fetch import FetchLimits, FetchResult
    from akili_cli.adapters.net.resolve import Resolver

HTTP_PORT, HTTPS_PORT = 80, 443
_OK = range(200, 400)
_SNIFF_BYTES = 8192
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,40})", re.ASCII)
_TEXT_CODECS = re.compile(
    r"utf-?(8|16|32)([-_]?[lb]e)?|us-ascii|ascii|(iso-?8859|windows|cp|koi8|euc)[-_][a-z0-9-]+|shift_jis|big5|"
    r"gb2312|gbk|gb18030",
    re.IGNORECASE | re.ASCII,
)


class WebFetchArgs(ToolArgs):
    """What to fetch."""

    url: str = Field(min_length=1, max_length=8192, description="absolute http or https URL")
    method: Literal["GET", "HEAD"] = Field("GET", description="HEAD gives the headers only")


class WebFetch:
    """Fetch a URL; only the declared host is reached, and redirects are followed within it."""

    name: ClassVar[str] = "web_fetch"
    permission: ClassVar[str] = "web_search"
    summary: ClassVar[str] = "Fetch a web page or API answer over HTTP; allowed domains only."
    risk: ClassVar[Risk] = Risk.LOW
    read_only: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    Args: ClassVar[type[ToolArgs]] = WebFetchArgs

    def __init__(self, settings: WebToolSettings, *, resolver: Resolver | None = None) -> None:
        """Keep the limits; ``resolver`` replaces the system's."""
        self._settings = settings
        self._resolver = resolver

    def effects(self, args: WebFetchArgs) -> Effects:
        """Declare the host, for plain HTTP also its HTTPS port, to which such sites redirect.

        Raises ``InvalidArgumentsError`` for a URL that is never fetched.
        """
        target = parse_url(args.url)
        if (target.scheme, target.port) != ("http", HTTP_PORT):
            return Effects(hosts=(target.authority,))
        return Effects(hosts=(target.authority, replace(target, scheme="https", port=HTTPS_PORT).authority))

    async def run(self, args: WebFetchArgs, permit: Permit) -> ToolOutput:
        """Fetch it; a status outside 200-399 and a server that fails are ``ok=False``.

        Raises ``PolicyDeniedError`` when an address or a redirect leads where no fetch may go.
        """
        from akili_cli.adapters.net.fetch import fetch
        from akili_cli.adapters.net.resolve import system_resolver

        host = parse_url(args.url).host
        try:
            result = await fetch(
                args.url,
                method=args.method,
                permit=permit,
                limits=self._limits(),
                resolver=self._resolver or system_resolver,
            )
        except ToolFailedError as error:
            return ToolOutput(str(error), ok=False, metadata={"url": args.url}, untrusted=f"web {host}")
        return _output(result, args.method)

    def _limits(self) -> FetchLimits:
        from akili_cli.adapters.net.fetch import FetchLimits

        return FetchLimits(
            allowed_private_hosts=self._settings.allowed_private_hosts,
            allowed_ports=self._settings.allowed_ports,
            max_response_bytes=self._settings.max_response_bytes,
            timeout_s=float(self._settings.timeout_seconds),
        )


def _output(result: FetchResult, method: str) -> ToolOutput:
    ok = result.status in _OK
    if method == "HEAD":
        text = "\n".join([f"HTTP {result.status}", *(f"{k}: {v}" for k, v in result.headers.items())])
    else:
        text = _text(result) if ok else f"HTTP {result.status}\n{_text(result)}"
    metadata: dict[str, object] = {
        "status_code": result.status,
        "url": result.url,
        "truncated": result.truncated,
    }
    if len(result.hops) > 1:
        metadata["redirects"] = list(result.hops[:-1])
    return ToolOutput(text, ok=ok, metadata=metadata, untrusted=f"web {parse_url(result.url).host}")


def _text(result: FetchResult) -> str:
    kind = result.headers.get("content-type", "")
    charset = _CHARSET.search(kind)
    name = charset[1] if charset and _TEXT_CODECS.fullmatch(charset[1]) else "utf-8"
    wide = name.lower().startswith(("utf-16", "utf-32", "utf16", "utf32"))
    if not wide and b"\0" in result.body[:_SNIFF_BYTES]:
        return f"({len(result.body)} bytes that are not text, {kind.partition(';')[0][:80] or 'no content type'})"
    try:
        return result.body.decode(name, errors="replace")
    except LookupError:
        return result.body.decode("utf-8", errors="replace")
