"""Speaks to the many providers litellm knows (Anthropic, Gemini, Bedrock ...), loading it only when needed."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from types import ModuleType

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError, status_error
from akili_cli.adapters.llm.prices import price
from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.adapters.llm.tries import stream_chat
from akili_cli.adapters.llm.wire import encode_messages, encode_tools
from akili_cli.adapters.net.client import load_httpx
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import ModelEvent, ModelRequest, Usage

_lock = threading.Lock()
_SETTLE_S = 5.0
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


class LiteLLM:
    """A model named as litellm names it (``anthropic/claude-...``)."""

    def __init__(
        self,
        peer: Peer,
        route: str,
        *,
        clock: Clock,
        base_url: str | None = None,
        prices: PriceSettings | None = None,
        max_tokens: int | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Bind to one model; ``route`` is litellm's full name, ``max_tokens`` and ``timeout_s`` are caps.

        With a ``base_url`` and no key a placeholder is sent, so that litellm does not take a key meant for
        somebody else from the environment.
        """
        self._peer = peer
        self._route = route
        self._clock = clock
        self._base_url = base_url
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
        """Give the operator's price, else that of litellm's own list, else None; loads litellm if need be."""
        own = price(usage, self._prices, self.provider, self.model)
        if own is not None or self._prices is not None:
            return own
        listed = load_litellm().model_cost
        entry = listed.get(self._route) or listed.get(self._route.partition("/")[2]) or {}
        rates = (entry.get("input_cost_per_token"), entry.get("output_cost_per_token"))
        if not all(isinstance(rate, int | float) for rate in rates):
            return None
        return float(usage.input_tokens * rates[0] + usage.output_tokens * rates[1])

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

    def _translated(self, error: Exception) -> ProviderError:
        original = getattr(error, "original_exception", None) or error
        message = _cleaned(original)
        if isinstance(original.__context__, ValueError) or type(original).__name__ == "APIResponseValidationError":
            return ProviderError(self._peer, Fault.UNREADABLE, message)
        status = getattr(original, "status_code", None)
        if type(original).__name__ == "ContextWindowExceededError":
            return status_error(self._peer, 400, message, code="context_length_exceeded")
        if not isinstance(status, int) or type(original).__name__ == "APIConnectionError":
            return ProviderError(self._peer, Fault.UNAVAILABLE, message)
        code = "insufficient_quota" if "insufficient_quota" in str(original) else ""
        return status_error(self._peer, status, message, code=code, retry_after_s=_retry_after_s(original))


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
