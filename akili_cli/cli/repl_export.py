"""Writes a conversation as Markdown, for a ticket or a post-mortem."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from akili_cli.cli.render import safe
from akili_cli.domain.errors import ConflictError, UsageError
from akili_cli.domain.messages import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock


def conversation_markdown(title: str, messages: Sequence[Message]) -> str:
    """Give a conversation as Markdown: who said what, every tool use with its arguments and its result."""
    parts = [f"# {title}"]
    speaker = ""
    for message in messages:
        for block in message.blocks:
            now = "akili" if message.role == "assistant" else "You"
            if isinstance(block, ToolResultBlock):
                now = "akili"
            if now != speaker:
                parts.append(f"## {now}")
                speaker = now
            parts.append(_block(block))
    return safe("\n\n".join(part for part in parts if part.strip()) + "\n")


def _block(block: Block) -> str:
    match block:
        case TextBlock(text, untrusted):
            return text.strip() if untrusted is None else f"Attached, untrusted ({untrusted}):\n\n{_fenced(text, '')}"
        case ToolUseBlock(_, name, arguments, raw):
            body = raw if arguments is None else json.dumps(arguments, indent=2, ensure_ascii=False, default=str)
            return f"Used `{name}`:\n\n{_fenced(body, 'json')}"
        case ToolResultBlock(_, text, is_error):
            return f"{'Refused or failed' if is_error else 'Result'}:\n\n{_fenced(text, '')}"


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet, for this user only; raises ``ConflictError`` and ``UsageError``."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists and is not overwritten", hint="name another file") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
