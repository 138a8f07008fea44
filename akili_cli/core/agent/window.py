"""Keeps a request inside the model's context window without parting a call from its result."""

from __future__ import annotations

from akili_cli.adapters.llm.base import estimate_tokens
from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import Message, ModelRequest, ToolResultBlock


def fit(messages: tuple[Message, ...], budget_tokens: int) -> tuple[Message, ...]:
    """Drop the oldest whole turns until the rest fits; the last human turn always stays.

    A cut is only made in front of a plain user message. Raises ``ModelError`` when even the last human
    turn and what followed it is too much.
    """
    sizes = [estimate_tokens(ModelRequest("", (message,))) for message in messages]
    total = sum(sizes)
    if total <= budget_tokens:
        return messages
    for start in (index for index, message in enumerate(messages) if index and _opens_turn(message)):
        total = sum(sizes[start:])
        if total <= budget_tokens:
            return messages[start:]
    raise ModelError(
        f"the request needs about {total} tokens, and only {max(budget_tokens, 0)} fit into the model's context",
        hint="send less text, start a new conversation, or raise providers.<name>.context_tokens if the model has more",
    )


def _opens_turn(message: Message) -> bool:
    return message.role == "user" and not any(isinstance(b, ToolResultBlock) for b in message.blocks)
