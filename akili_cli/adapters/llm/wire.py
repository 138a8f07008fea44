"""Translates a request into OpenAI chat messages, with text from outside fenced off."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator

from akili_cli.domain.messages import (
    Message,
    ModelRequest,
    TextBlock,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
)

Wire = dict[str, object]

_FENCE = "untrusted"
_OPENERS = "<\uff1c\ufe64"  # less-than, its full-width and its small form
_SLASHES = "/\uff0f\u2044\u2215\\"
_BLANK = frozenset({"Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp"})
_ROLE_MARKS = re.compile(
    r"<[|\uff5c][^|\uff5c<>\n]{1,60}[|\uff5c]>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS)\]"
    r"|<</?SYS>>|</?s>|</?(?:start|end)_of_turn>|</?(?:system|assistant|user|tool_call|tool_response)>"
    r"|^(?-i:System|Assistant|Human):",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME_CHARS = 64
_MAX_MALFORMED_CHARS = 2000


def encode_messages(request: ModelRequest) -> list[Wire]:
    """Give the messages of a request: the system prompt first, tool results right after their calls."""
    out: list[Wire] = [{"role": "system", "content": valid_text(request.system)}] if request.system else []
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
    text = valid_text(message.text)
    if calls:
        yield {"role": "assistant", "content": text or None, "tool_calls": calls}
    elif text:
        yield {"role": "assistant", "content": text}


def _call(block: ToolUseBlock) -> Wire:
    arguments = block.arguments
    if arguments is None:  # providers refuse a history whose arguments are not a JSON object
        arguments = {"malformed_arguments": block.raw[:_MAX_MALFORMED_CHARS]}
    name = _NOT_A_NAME.sub("_", block.name)[:_MAX_NAME_CHARS] or "_"
    function = {"name": name, "arguments": json.dumps(arguments, default=str)}
    return {"id": block.id, "type": "function", "function": function}


def _user(message: Message) -> Iterator[Wire]:
    texts = []
    for block in message.blocks:
        match block:
            case ToolResultBlock():
                text = valid_text(block.text) or "(no output)"
                text = text if block.untrusted is None else fence(block.text, block.untrusted)
                content = f"[error] {text}" if block.is_error else text
                yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": content}
            case TextBlock(text=text) if text:
                texts.append(valid_text(text) if block.untrusted is None else fence(text, block.untrusted))
            case _:
                pass
    if texts:
        yield {"role": "user", "content": "\n\n".join(texts)}


def fence(text: str, source: str) -> str:
    """Wrap text from outside in ``<untrusted source="...">`` so that nothing inside can close the fence."""
    label = "".join(char if char.isprintable() and char not in '<>&"' else "_" for char in source)
    inside = _ROLE_MARKS.sub(_disarmed, _without_fences(valid_text(text)))
    return f'<{_FENCE} source="{label}">\n{inside}\n</{_FENCE}>'


def _disarmed(mark: re.Match[str]) -> str:
    return f"&#{ord(mark[0][0])};{mark[0][1:]}"


def _without_fences(text: str) -> str:
    """Turn the ``<`` of whatever a reader could take for our tag into ``&lt;``: any case, look-alikes, gaps."""
    parts = re.split(f"([{_OPENERS}])", text)
    for place in range(1, len(parts), 2):
        if _reads_as_fence(parts[place + 1]):
            parts[place] = "&lt;"
    return "".join(parts)


def _reads_as_fence(text: str) -> bool:
    """Tell whether text after a ``<`` begins, blanks and slashes aside, with the tag's name.

    A letter outside ASCII counts as any letter: look-alikes are too many to list.
    """
    place = 0
    for char in text:
        if unicodedata.category(char) in _BLANK or (place == 0 and char in _SLASHES):
            continue
        if char.isascii() and char.lower() != _FENCE[place]:
            return False
        place += 1
        if place == len(_FENCE):
            return True
    return False


def valid_text(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 text can hold, by U+FFFD; whole pairs are joined."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
