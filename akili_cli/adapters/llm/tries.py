"""Runs one request against one provider: tries, back-off, and the stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError, estimate_tokens
from akili_cli.adapters.llm.chunks import Assembly
from akili_cli.adapters.llm.wire import tool_ids
from akili_cli.domain.clock import Clock
from akili_cli.domain.messages import Attempt, Completion, ModelEvent, ModelRequest, TextDelta, Usage

MAX_TRIES = 3
MAX_RETRY_AFTER_S = 30.0
_FIRST_DELAY_S = 0.5
_RETRY_STATUS = frozenset({429, 502, 503, 504, 529})

DONE = object()
"""What a source yields when the server said that the answer is complete."""

OpenChunks = Callable[[], AsyncGenerator[object, None]]


def retry_delay_s(error: ProviderError, tries: int) -> float | None:
    """Give the wait before the next try, or None when there must not be one.

    Only a busy or unreachable provider is asked again, three times in all; a provider that asks for more than
    30 seconds is left alone.
    """
    if tries >= MAX_TRIES or error.fault not in (Fault.RATE_LIMIT, Fault.UNAVAILABLE):
        return None
    if error.status is not None and error.status not in _RETRY_STATUS:
        return None
    if error.retry_after_s is not None:
        return error.retry_after_s if error.retry_after_s <= MAX_RETRY_AFTER_S else None
    return _FIRST_DELAY_S * 2.0 ** (tries - 1)


async def stream_chat(
    peer: Peer,
    request: ModelRequest,
    open_chunks: OpenChunks,
    *,
    price: Callable[[Usage], float | None],
    clock: Clock,
) -> AsyncIterator[ModelEvent]:
    """Yield text as it arrives and one ``Completion`` last.

    A failure before the first token is tried again as ``retry_delay_s`` says; after it never, since the text
    was already seen. Raises ``ProviderError`` with every attempt.
    """
    attempts: tuple[Attempt, ...] = ()
    while True:
        began = clock.monotonic()
        assembly = Assembly(peer, tool_ids(request))
        ended = False
        try:
            async with aclosing(open_chunks()) as chunks:
                async for chunk in chunks:
                    if chunk is DONE:
                        ended = True
                    elif text := assembly.feed(chunk):
                        yield TextDelta(text)
            if text := assembly.close(ended=ended):
                yield TextDelta(text)
            break
        except ProviderError as error:
            took = clock.monotonic() - began
            attempts += (Attempt(peer.provider, peer.model, error.reason, took),)
            error.attempts = attempts
            delay = None if assembly.started else retry_delay_s(error, len(attempts))
            if delay is None:
                raise
        await clock.sleep(delay)
    usage = assembly.usage(estimate_tokens(request))
    yield Completion(
        message=assembly.message,
        usage=usage,
        stop_reason=assembly.stop_reason,
        provider=peer.provider,
        model=peer.model,
        cost_usd=price(usage),
        attempts=(*attempts, Attempt(peer.provider, peer.model, "", clock.monotonic() - began)),
    )
