"""Speaks to the many providers litellm knows (Anthropic, Gemini, Bedrock ...), loading it only when needed."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, AsyncIterator
from types import ModuleType

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError, status_error, versioned
from akili_cli.adapters.llm.prices import listed_price, price
from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.adapters.llm.tries import stream_chat
from akili_cli.adapters.llm.wire import encode_messages, encode_tools
from akili_cli.adapters.net.client import load_httpx
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import ModelEvent, ModelRequest, Usage

_lock = threading.Lock()
_MAX_CHAIN = 10
_SETTLE_S = 5.0  # more than our own limit, so that ours speaks first
_WELL_KNOWN = frozenset({"anthropic", "openai", "gemini", "ollama"})
_NOISE = re.compile(r"^(?:litellm\.)?(?:\w+(?:Error|Exception|Timeout): ?)+|^\w+Exception - ")
_TAIL = re.compile(r" Original exception: .*", re.DOTALL)


def load_litellm() -> ModuleType:
    """Import litellm once, in about 2 s, without network, ``.env`` files, aiohttp or chatter; thread-safe.

    Raises ``ModelError`` when it is missing or broken.
    """
    with _lock:
        loaded = sys.modules.get("litellm")
        if loaded is not None and getattr(loaded, "disable_aiohttp_transport", False):
            return loaded
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a price list while importing
        os.environ["LITELLM_MODE"] = "PRODUCTION"  # else it reads a .env file
        load_httpx()
        was_enabled = gc.isenabled()
        gc.disable()  # collecting while 2,600 modules load is a third of the time
        try:
            import litellm
        except ImportError as error:
            message = f"litellm cannot be loaded: {error}"
            raise ModelError(message, hint="reinstall akili-cli or use kind: openai_compatible") from error
        finally:
            if was_enabled:
                gc.freeze()
                gc.enable()
        warnings.filterwarnings("ignore", module=r"pydantic\.")  # its models warn on the user's terminal
        litellm.disable_aiohttp_transport = True
        litellm.suppress_debug_info = True
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        return litellm


def preload() -> threading.Thread:
    """Start loading litellm in the background; a failure shows when a model is called."""

    def load() -> None:
        try:
            load_litellm()
        except ModelError:
            return

    thread = threading.Thread(target=load, name="load-litellm", daemon=True)
    thread.start()
    return thread


def route(peer: Peer) -> str:
    """Give litellm's full name of a model: ours for the well-known providers, else as the operator wrote it."""
    if peer.provider not in _WELL_KNOWN or peer.model.startswith(f"{peer.provider}/"):
        return peer.model
    return f"{peer.provider}/{peer.model}"


class LiteLLM:
    """A model behind litellm."""

    def __init__(
        self,
        peer: Peer,
        base_url: str | None,
        *,
        clock: Clock,
        prices: PriceSettings | None = None,
        max_tokens: int | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Bind to one model; ``max_tokens`` and ``timeout_s`` cap what a request may ask for.

        With a ``base_url`` and no key a placeholder is sent, so that litellm does not take a key meant for
        somebody else from the environment.
        """
        self._peer = peer
        self._route = route(peer)
        self._clock = clock
        if base_url is not None and "/" not in self._route:  # a server of one's own speaks OpenAI's language
            self._route = f"openai/{self._route}"
        speaks_openai = self._route.startswith("openai/")
        self._base_url = versioned(base_url) if base_url is not None and speaks_openai else base_url
        self._prices = prices
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s

    @property
    def provider(self) -> str:
        """The provider's config name."""
        return self._peer.provider

    @property
    def model(self) -> str:
        """The model's name."""
        return self._peer.model

    def price(self, usage: Usage) -> float | None:
        """Give the operator's price, else that of litellm's own list, else None; litellm is not loaded for it."""
        own = price(usage, self._prices, self.provider, self.model)
        if own is not None or self._prices is not None:
            return own
        return listed_price(usage, self._route, self._route.partition("/")[2])

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield text as it arrives and one ``Completion`` last; raises ``ModelError``."""
        return stream_chat(self._peer, request, lambda: self._chunks(request), price=self.price, clock=self._clock)

    async def close(self) -> None:
        """Close the connections litellm keeps, if it was ever loaded."""
        litellm = sys.modules.get("litellm")
        if litellm is not None and hasattr(litellm, "close_litellm_async_clients"):
            await litellm.close_litellm_async_clients()
            litellm.in_memory_llm_clients_cache.flush_cache()

    def _arguments(self, request: ModelRequest, wait_s: float) -> dict[str, object]:
        arguments: dict[str, object] = {
            "model": self._route,
            "messages": encode_messages(request),
            "max_tokens": min(request.max_tokens, self._max_tokens or request.max_tokens),
            "stream": True,
            "stream_options": {"include_usage": True},
            "timeout": wait_s + _SETTLE_S,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,
        }
        if request.tools:
            arguments["tools"] = encode_tools(request.tools)
        if self._base_url:
            arguments["api_base"] = self._base_url
        if self._peer.api_key or self._base_url:
            arguments["api_key"] = self._peer.api_key or "none"
        return arguments

    async def _chunks(self, request: ModelRequest) -> AsyncGenerator[object, None]:
        """Make one try and yield plain chunks; litellm's own "stop" at the end of anything is not believed."""
        litellm = await asyncio.to_thread(load_litellm)
        import openai

        wait_s = min(request.timeout_s, self._timeout_s or request.timeout_s)
        stream = None
        try:
            async with asyncio.timeout(wait_s):
                stream = await litellm.acompletion(**self._arguments(request, wait_s))
            while True:
                async with asyncio.timeout(wait_s):
                    chunk = await anext(stream, None)
                if chunk is None:
                    break
                yield _plain(chunk)
            reason = stream.received_finish_reason or stream.intermittent_finish_reason
            yield {"choices": [{"finish_reason": reason}]}
        except (TimeoutError, openai.APITimeoutError) as error:
            raise ProviderError(self._peer, Fault.TIMEOUT, f"nothing came for {wait_s:g} s") from error
        except openai.APIError as error:
            raise self._translated(error) from error
        except (openai.OpenAIError, load_httpx().HTTPError, OSError) as error:
            raise ProviderError(self._peer, Fault.UNAVAILABLE, _cleaned(error)) from error
        except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
            message = f"litellm could not read the answer: {type(error).__name__}: {error}"
            raise ProviderError(self._peer, Fault.UNREADABLE, message) from error
        finally:
            if stream is not None:
                await stream.aclose()

    def _translated(self, error: BaseException) -> ProviderError:
        """Find what really happened behind litellm's wrapping, which calls a lost connection "HTTP 500"."""
        import openai

        chain = _chain(error)
        message = _cleaned(chain[0])
        if any(isinstance(link, json.JSONDecodeError | UnicodeDecodeError) for link in chain):
            return ProviderError(self._peer, Fault.UNREADABLE, message)
        if any(type(link).__name__ == "ContextWindowExceededError" for link in chain):
            return status_error(self._peer, 400, message, code="context_length_exceeded")
        status = getattr(chain[0], "status_code", None)
        lost = (openai.APIConnectionError, load_httpx().TransportError)
        if not isinstance(status, int) or any(isinstance(link, lost) for link in chain):
            return ProviderError(self._peer, Fault.UNAVAILABLE, message)
        codes = {str(getattr(link, "code", "")) for link in chain}
        code = "insufficient_quota" if "insufficient_quota" in codes else ""
        return status_error(self._peer, status, message, code=code, retry_after_s=_retry_after_s(chain[0]))


def _chain(error: BaseException) -> list[BaseException]:
    """Give an error and what lies behind it, the one litellm itself wrapped first."""
    chain: list[BaseException] = []
    link: BaseException | None = getattr(error, "original_exception", None) or error
    while link is not None and len(chain) < _MAX_CHAIN and link not in chain:
        chain.append(link)
        link = getattr(link, "original_exception", None) or link.__cause__ or link.__context__
    return chain


def _plain(chunk: object) -> dict[str, object]:
    """Turn a chunk object into what the server must have sent, without the finish reason."""
    plain: dict[str, object] = {}
    if usage := getattr(chunk, "usage", None):
        plain["usage"] = {
            "prompt_tokens": getattr(usage, "prompt_tokens", None),
            "completion_tokens": getattr(usage, "completion_tokens", None),
        }
    if choices := getattr(chunk, "choices", None):
        delta = choices[0].delta
        calls = [
            {
                "index": call.index,
                "id": call.id,
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in getattr(delta, "tool_calls", None) or ()
        ]
        plain["choices"] = [{"delta": {"content": delta.content, "tool_calls": calls}}]
    return plain


def _cleaned(error: BaseException) -> str:
    """Give the provider's own words without litellm's prefixes."""
    text, before = _TAIL.sub("", str(error)), ""
    while text != before:
        before, text = text, _NOISE.sub("", text)
    return text.strip() or type(error).__name__


def _retry_after_s(error: BaseException) -> float | None:
    headers = getattr(error, "litellm_response_headers", None) or {}
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
