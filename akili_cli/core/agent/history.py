"""What a conversation remembers between runs: its owner only, in order, never a tool use without its result."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.agent import store
from akili_cli.core.agent.settings import MemorySettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import NotFoundError, StorageError
from akili_cli.domain.ids import is_uuid, new_uuid
from akili_cli.domain.messages import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock

MARKER = "\n[truncated]"
TITLE_CHARS = 80
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One line of a list of conversations."""

    id: str
    title: str
    created_at: float
    updated_at: float


class History:
    """The conversations of one organisation.

    An id that is unknown, malformed or another user's is always the same ``NotFoundError``.
    """

    def __init__(self, db: Database, org: str, clock: Clock, settings: MemorySettings) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._clock = clock
        self._settings = settings

    async def create(self, user: str) -> str:
        """Begin a conversation and give its id."""
        conversation_id = new_uuid()
        await self._db.write(lambda connection: self.begin(connection, user, conversation_id))
        return conversation_id

    def begin(self, connection: Connection, user: str, conversation_id: str) -> None:
        """Begin a conversation under a fresh id, in the caller's transaction."""
        store.create(connection, self._org, user, conversation_id, self._clock.now())

    async def owns(self, conversation_id: str, user: str) -> bool:
        """Tell whether a conversation is there and the user's."""
        key = _checked(conversation_id)
        return await self._db.read(lambda connection: store.is_owner(connection, self._org, user, key))

    async def load(self, conversation_id: str, user: str) -> tuple[Message, ...]:
        """Give the newest ``max_history_messages``, oldest first, cut so that a model API accepts them.

        The first is a plain user message, and every tool use is followed by its result.
        """
        key = _checked(conversation_id)

        def work(connection: Connection) -> tuple[Message, ...]:
            if not store.is_owner(connection, self._org, user, key):
                raise _unknown(conversation_id)
            rows = store.newest(connection, key, self._settings.max_history_messages)
            messages = tuple(
                Message("assistant" if row["role"] == "assistant" else "user", parse_blocks(str(row["blocks"])))
                for row in rows
            )
            return coherent(messages) or _one_long_turn(connection, key, messages)

        return await self._db.read(work)

    async def append(
        self, conversation_id: str, user: str, messages: Sequence[Message], *, once: str | None = None
    ) -> None:
        """Add messages in one transaction; long texts are cut to ``max_message_bytes``.

        With ``once`` (the id of a run that may be entered again) nothing is added a second time.
        """
        key, now = _checked(conversation_id), self._clock.now()
        stored = tuple(self._stored(message) for message in messages)
        title = next((found for message in messages if (found := _title(message))), "")

        def work(connection: Connection) -> None:
            if not store.touch(connection, self._org, user, key, title=title, now=now):
                raise _unknown(conversation_id)
            if once is None or not store.holds(connection, key, once):
                store.append(connection, key, stored, now, once)

        await self._db.write(work)

    async def replace_result(
        self, conversation_id: str, tool_use_id: str, text: str, is_error: bool, untrusted: str | None = None
    ) -> None:
        """Write the real outcome over the newest result of a tool use, once its approval was decided.

        Whoever decides need not own the conversation. Raises ``NotFoundError`` when there is no such result.
        """
        key, now = _checked(conversation_id), self._clock.now()
        result = ToolResultBlock(tool_use_id, text, is_error, untrusted)

        def work(connection: Connection) -> None:
            if not store.touch(connection, self._org, None, key, title="", now=now):
                raise _unknown(conversation_id)
            for row in store.user_messages_back(connection, key):
                blocks = parse_blocks(str(row["blocks"]))
                if tool_use_id in _result_ids(blocks):
                    changed = tuple(
                        result if isinstance(block, ToolResultBlock) and block.tool_use_id == tool_use_id else block
                        for block in blocks
                    )
                    message = self._stored(Message("user", changed))
                    store.replace(connection, key, cast("int", row["seq"]), message)
                    return
            raise NotFoundError(f"no tool result {tool_use_id[:80]!r} in that conversation")

        await self._db.write(work)

    async def latest(self, user: str) -> str | None:
        """Give the id of the user's conversation that changed last."""
        found = await self.list(user, 1)
        return found[0].id if found else None

    async def list(self, user: str, limit: int) -> tuple[ConversationSummary, ...]:
        """Give the user's conversations, the last changed first."""
        rows = await self._db.read(lambda connection: store.recent(connection, self._org, user, max(0, limit)))
        return tuple(
            ConversationSummary(
                str(row["id"]),
                str(row["title"]),
                cast("float", row["created_at"]),
                cast("float", row["updated_at"]),
            )
            for row in rows
        )

    def _stored(self, message: Message) -> store.StoredMessage:
        limit = self._settings.max_message_bytes
        kept = Message(
            "assistant" if message.role == "assistant" else "user",
            tuple(_shortened(block, limit) for block in message.blocks),
        )
        blocks = render_blocks(kept.blocks)
        return store.StoredMessage(kept.role, kept.text, blocks, max(1, len(blocks) // CHARS_PER_TOKEN))


def coherent(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give the longest end of a conversation that starts with a plain user message and pairs uses and results.

    A use at the very end that was never answered is left out.
    """
    kept = list(messages)
    while kept and _use_ids(kept[-1].blocks):
        kept.pop()
    start = 0
    asked: frozenset[str] = frozenset()
    for index, message in enumerate(kept):
        if _result_ids(message.blocks) != asked:
            start = index
        asked = _use_ids(message.blocks)
    while start < len(kept) and not _is_plain(kept[start]):
        start += 1
    return tuple(kept[start:])


def _one_long_turn(connection: Connection, conversation_id: str, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Put the person's last words before the end of a turn that alone fills the window."""
    if any(map(_is_plain, messages)):
        return ()  # it is damaged, not long
    for row in store.user_messages_back(connection, conversation_id):
        asked = Message("user", parse_blocks(str(row["blocks"])))
        if _is_plain(asked):
            first = next((i for i, m in enumerate(messages) if i and m.role == "assistant"), len(messages))
            return coherent((asked, *messages[first:])) or (asked,)
    return ()


def shorten(text: str, limit_bytes: int) -> str:
    """Give a text of at most ``limit_bytes`` of UTF-8, whole characters, with a marker when cut."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit_bytes:
        return raw.decode()
    return raw[: limit_bytes - len(MARKER)].decode("utf-8", "ignore") + MARKER


def render_blocks(blocks: Sequence[Block]) -> str:
    """Write blocks as the JSON text of a row (ASCII, so that any database can hold it).

    Raises ``StorageError`` for arguments that are no JSON, or nested too deeply.
    """
    try:
        return json.dumps([_as_dict(block) for block in blocks], separators=(",", ":"), default=str)
    except (ValueError, TypeError, RecursionError) as error:
        raise StorageError("a message cannot be stored: its arguments are not plain JSON") from error


def parse_blocks(text: str) -> tuple[Block, ...]:
    """Turn a row's JSON into blocks; raises ``StorageError`` when it is damaged."""
    try:
        return tuple(_block(item) for item in json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError("a stored message is damaged", hint="start a new conversation") from error


def _as_dict(block: Block) -> dict[str, object]:
    match block:
        case TextBlock(text, untrusted):
            return {"type": "text", "text": text, "untrusted": untrusted}
        case ToolUseBlock(id_, name, arguments, raw):
            return {"type": "tool_use", "id": id_, "name": name, "arguments": arguments, "raw": raw}
        case ToolResultBlock(id_, text, is_error, untrusted):
            return {
                "type": "tool_result",
                "tool_use_id": id_,
                "text": text,
                "is_error": is_error,
                "untrusted": untrusted,
            }


def _block(item: Mapping[str, object]) -> Block:
    match item["type"]:
        case "text":
            label = item.get("untrusted")
            return TextBlock(str(item["text"]), None if label is None else str(label))
        case "tool_use":
            arguments = item["arguments"]
            return ToolUseBlock(
                str(item["id"]),
                str(item["name"]),
                arguments if isinstance(arguments, dict) else None,
                str(item["raw"]),
            )
        case "tool_result":
            label = item.get("untrusted")
            return ToolResultBlock(
                str(item["tool_use_id"]),
                str(item["text"]),
                item["is_error"] is True,
                None if label is None else str(label),
            )
        case other:
            raise ValueError(f"unknown block {other!r}")


def _shortened(block: Block, limit_bytes: int) -> Block:
    match block:
        case TextBlock() | ToolResultBlock():
            return replace(block, text=shorten(block.text, limit_bytes))
        case ToolUseBlock():
            return replace(block, raw=shorten(block.raw, limit_bytes))


def _use_ids(blocks: Sequence[Block]) -> frozenset[str]:
    return frozenset(block.id for block in blocks if isinstance(block, ToolUseBlock))


def _result_ids(blocks: Sequence[Block]) -> frozenset[str]:
    return frozenset(block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock))


def _is_plain(message: Message) -> bool:
    return message.role == "user" and bool(message.blocks) and not _result_ids(message.blocks)


def _title(message: Message) -> str:
    if message.role != "user":
        return ""
    own = " ".join(block.text for block in message.blocks if isinstance(block, TextBlock) and block.untrusted is None)
    shown = "".join(char if char.isprintable() else " " for char in own[: TITLE_CHARS * 4])
    return " ".join(shown.split())[:TITLE_CHARS]


def _checked(conversation_id: str) -> str:
    if not is_uuid(conversation_id):
        raise _unknown(conversation_id)
    return conversation_id.lower()


def _unknown(conversation_id: str) -> NotFoundError:
    return NotFoundError(
        f"no conversation {conversation_id[:40]!r}", hint="leave the id out to start a new conversation"
    )
