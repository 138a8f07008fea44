"""Translates a request into OpenAI chat messages, with text from outside fenced off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from akili_cli.adapters.llm.fencing import fence, json_without_marks, without_marks
from akili_cli.domain.messages import (
    Message,
    ModelRequest,
    TextBlock,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
)

Wire = dict[str, object]

_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME_CHARS = 64
_MAX_MALFORMED_CHARS = 2000


def encode_messages(request: ModelRequest) -> list[Wire]:
    """Give the messages of a request: the system prompt first, tool results right after their calls."""
    out: list[Wire] = [{"role": "system", "content": _said(request.system)}] if request.system else []
    for message in request.messages:
        out.extend(_assistant(message) if message.role == "assistant" else _user(message))
    return out


def encode_tools(tools: tuple[ToolSpec, ...]) -> list[Wire]:
    """Give the tools as function definitions."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.schema)},
        }
        for tool in tools
    ]


def tool_ids(request: ModelRequest) -> set[str]:
    """Give the ids of every tool call the conversation holds, so that new ones can differ."""
    blocks = (block for message in request.messages for block in message.blocks)
    return {block.id for block in blocks if isinstance(block, ToolUseBlock)}


def _assistant(message: Message) -> Iterator[Wire]:
    calls = [_call(block) for block in message.blocks if isinstance(block, ToolUseBlock)]
    text = _said(message.text)
    if calls:
        yield {"role": "assistant", "content": text or None, "tool_calls": calls}
    elif text:
        yield {"role": "assistant", "content": text}


def _call(block: ToolUseBlock) -> Wire:
    arguments = block.arguments
    if arguments is None:  # providers refuse a history whose arguments are not a JSON object
        arguments = {"malformed_arguments": block.raw[:_MAX_MALFORMED_CHARS]}
    name = _NOT_A_NAME.sub("_", block.name)[:_MAX_NAME_CHARS] or "_"
    function = {"name": name, "arguments": json_without_marks(json.dumps(arguments, default=str))}
    return {"id": block.id, "type": "function", "function": function}


def _user(message: Message) -> Iterator[Wire]:
    texts = []
    for block in message.blocks:
        match block:
            case ToolResultBlock():
                text = valid_text(block.text) or "(no output)"
                outside = block.untrusted
                text = without_marks(text, turns=True) if outside is None else fence(text, outside)
                content = f"[error] {text}" if block.is_error else text
                yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": content}
            case TextBlock(text=text) if text:
                outside = block.untrusted
                texts.append(_said(text) if outside is None else fence(valid_text(text), outside))
            case _:
                pass
    if texts:
        yield {"role": "user", "content": "\n\n".join(texts)}


def _said(text: str) -> str:
    """Give what a person, the model or a procedure said; a mark of a chat template in it opens no turn."""
    return without_marks(valid_text(text))


def valid_text(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 text can hold, by U+FFFD; whole pairs are joined."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
