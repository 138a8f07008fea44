"""Speaks to any server with an OpenAI-style chat endpoint: OpenAI, Ollama, vLLM, llama.cpp, AkashML."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError, status_error, versioned
from akili_cli.adapters.llm.prices import price
from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.adapters.llm.sse import SseError, bounded, events
from akili_cli.adapters.llm.tries import DONE, stream_chat
from akili_cli.adapters.llm.wire import encode_messages, encode_tools
from akili_cli.adapters.net.client import api_client, load_httpx
from akili_cli.domain.clock import Clock
from akili_cli.domain.messages import ModelEvent, ModelRequest, Usage

if TYPE_CHECKING:
    import httpx  # noqa: TID251 - for annotations; clients come from adapters/net

CONNECT_TIMEOUT_S = 10.0
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
_DRAIN_S = 0.1


class OpenAICompatible:
    """A model behind ``{base_url}/v1/chat/completions``."""

    def __init__(
        self,
        peer: Peer,
        base_url: str,
        *,
        clock: Clock,
        prices: PriceSettings | None = None,
        max_tokens: int | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Bind to one model; ``max_tokens`` and ``timeout_s`` cap what a request may ask for."""
        self._peer = peer
        self._clock = clock
        self._prices = prices
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._url = chat_url(base_url)
        self._limit_key = "max_completion_tokens" if urlsplit(base_url).hostname == "api.openai.com" else "max_tokens"
        self._client: httpx.AsyncClient | None = None

    @property
    def provider(self) -> str:
        """The provider's config name."""
        return self._peer.provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self._peer.model

    def price(self, usage: Usage) -> float | None:
        """Give the cost in USD of a usage, or None when unpriced."""
        return price(usage, self._prices, self.provider, self.model)

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield text as it arrives and one ``Completion`` last; raises ``ProviderError``."""
        return stream_chat(self._peer, request, lambda: self._chunks(request), price=self.price, clock=self._clock)

    async def close(self) -> None:
        """Close the shared client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _body(self, request: ModelRequest) -> dict[str, object]:
        body: dict[str, object] = {
            "model": self.model,
            "messages": encode_messages(request),
            self._limit_key: min(request.max_tokens, self._max_tokens or request.max_tokens),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return body | {"tools": encode_tools(request.tools)} if request.tools else body

    def _open_client(self) -> httpx.AsyncClient:
        if self._client is None:
            headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
            headers["Content-Type"] = "application/json"
            if self._peer.api_key:
                headers["Authorization"] = f"Bearer {self._peer.api_key}"
            self._client = api_client(self._url, timeout_s=CONNECT_TIMEOUT_S, headers=headers)
        return self._client

    async def _chunks(self, request: ModelRequest) -> AsyncGenerator[object, None]:
        """Make one try: yield the decoded chunks, and ``DONE`` when the server said so."""
        httpx = load_httpx()
        wait_s = min(request.timeout_s, self._timeout_s or request.timeout_s)
        client = self._open_client()
        timeout = httpx.Timeout(wait_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S)
        body = json.dumps(self._body(request)).encode()
        try:
            post = client.build_request("POST", self._url, content=body, timeout=timeout)
            async with asyncio.timeout(CONNECT_TIMEOUT_S + wait_s):
                response = await client.send(post, stream=True)
            async with aclosing(response):
                if response.status_code != 200:  # noqa: PLR2004 - an HTTP status reads best as a number
                    async with asyncio.timeout(wait_s):
                        raise await self._refusal(response)
                async with aclosing(self._decoded(response, wait_s)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        except (httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            message = f"no connection within {CONNECT_TIMEOUT_S:g} s"
            raise ProviderError(self._peer, Fault.UNAVAILABLE, message) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"nothing came for {wait_s:g} s"
            raise ProviderError(self._peer, Fault.TIMEOUT, message) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ProviderError(self._peer, Fault.UNAVAILABLE, message) from error
        except SseError as error:
            raise ProviderError(self._peer, Fault.UNREADABLE, str(error)) from error

    async def _decoded(self, response: httpx.Response, wait_s: float) -> AsyncGenerator[object, None]:
        """Tell a stream from a whole answer by its first byte: content types lie."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SseError("the answer is compressed, which was not asked for")
        body = response.aiter_raw()
        async with asyncio.timeout(wait_s):
            first = await _first_bytes(body)
        match first[:1]:
            case b"":
                raise ProviderError(self._peer, Fault.UNREADABLE, "the answer was empty")
            case b"<":
                raise ProviderError(self._peer, Fault.UNREADABLE, "an HTML page came instead of an answer")
            case b"{":
                async with asyncio.timeout(wait_s):
                    whole = await _read(_chain(first, body), MAX_JSON_BYTES)
                answer = self._parsed(whole)
                yield answer
                if isinstance(answer, dict) and answer.get("choices"):
                    yield DONE
            case _:
                async with aclosing(self._streamed(_chain(first, body), wait_s)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    async def _streamed(self, body: AsyncIterator[bytes], wait_s: float) -> AsyncGenerator[object, None]:
        stream = events(body)
        while True:
            async with asyncio.timeout(wait_s):
                data = await anext(stream, None)
            if data is None:
                return
            if data.strip() == "[DONE]":
                break
            yield self._parsed(data)
        yield DONE
        await _drain(stream)

    def _parsed(self, text: str | bytes) -> object:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            message = "a part of the answer is not JSON"
            raise ProviderError(self._peer, Fault.UNREADABLE, message) from error

    async def _refusal(self, response: httpx.Response) -> ProviderError:
        """Read a bounded error body and say what it says."""
        try:
            raw = await _read(response.aiter_raw(), MAX_ERROR_BYTES)
        except SseError:
            raw = b""
        status, retry_after_s = response.status_code, self._retry_after_s(response)
        try:
            error = json.loads(raw)
        except (ValueError, RecursionError):
            text = raw.decode("utf-8", "replace").strip()
            message = "an HTML page" if text.startswith("<") else text
            message = message or response.reason_phrase or "no reason given"
            return status_error(self._peer, status, message, retry_after_s=retry_after_s)
        error = error[0] if isinstance(error, list) and error else error
        detail = error.get("error", error) if isinstance(error, dict) else error
        message, code = detail, ""
        if isinstance(detail, dict):
            message = detail.get("message") or detail.get("detail") or json.dumps(detail)
            code = str(detail.get("code") or detail.get("type") or "")
        return status_error(self._peer, status, str(message), code=code, retry_after_s=retry_after_s)

    def _retry_after_s(self, response: httpx.Response) -> float | None:
        """Read ``Retry-After``: seconds or a date; nonsense counts as absent."""
        text = response.headers.get("retry-after", "")
        try:
            seconds = float(text)
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - self._clock.now()
            except (ValueError, OverflowError):
                return None
        return max(0.0, seconds) if math.isfinite(seconds) else None


def chat_url(base_url: str) -> str:
    """Give the chat endpoint of a base URL, which may end in an API version or leave it out."""
    return f"{versioned(base_url)}/chat/completions"


async def _first_bytes(body: AsyncIterator[bytes]) -> bytes:
    """Read until something other than blanks came; gives what came from there on."""
    async for chunk in bounded(body, MAX_ERROR_BYTES * 16):
        if kept := chunk.removeprefix(b"\xef\xbb\xbf").lstrip():
            return kept
    return b""


async def _chain(first: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in body:
        yield chunk


async def _read(body: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    return b"".join([chunk async for chunk in bounded(body, limit_bytes)])


async def _drain(stream: AsyncIterator[str]) -> None:
    """Read to the true end, so that the connection can serve again; a server that keeps it open is left."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for _ in stream:
                pass
    except (TimeoutError, SseError, load_httpx().HTTPError):
        return
