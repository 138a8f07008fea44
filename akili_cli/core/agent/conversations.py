"""The verbs on conversations for whoever owns them: list, show, forget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.agent import store
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import Kind, change_by
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import iso
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.ids import is_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation without its messages."""

    id: str
    user: str
    title: str
    created_at: float
    updated_at: float
    messages: int

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form."""
        return {
            "id": self.id,
            "user_id": self.user,
            "title": self.title,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "messages": self.messages,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationService:
    """The conversations of one organisation. Somebody else's id is answered like one that is not there."""

    db: Database
    org: str
    audit: AuditLog

    async def list(
        self, by: Principal, *, before: tuple[float, str] | None = None, limit: int = 50
    ) -> Sequence[Conversation]:
        """Give one's own, the last changed first, from after the (time, id) given."""
        rows = await self.db.read(
            lambda connection: store.own(connection, self.org, by.user, before=before, limit=limit)
        )
        return [_conversation(row) for row in rows]

    async def show(
        self, conversation_id: str, by: Principal, *, limit: int = 1000
    ) -> tuple[Conversation, Sequence[dict[str, object]]]:
        """Give one's own with its newest messages, oldest of them first; raises ``NotFoundError``."""
        key = _checked(conversation_id)

        def read(connection: Connection) -> tuple[Conversation, Sequence[dict[str, object]]]:
            found = store.one(connection, self.org, by.user, key)
            if not found:
                raise _unknown(conversation_id)
            messages = store.last_messages(connection, key, limit)
            return _conversation(found[0]), [
                {
                    "number": row["seq"],
                    "role": row["role"],
                    "content": row["content"],
                    "blocks": json.loads(str(row["blocks"])),
                    "created_at": iso(float(str(row["created_at"]))),
                }
                for row in messages
            ]

        return await self.db.read(read)

    async def forget(self, conversation_id: str, by: Principal) -> None:
        """Delete one's own with all its messages, for the record; raises ``NotFoundError``."""
        key = _checked(conversation_id)
        if not await self.db.write(lambda connection: store.remove(connection, self.org, by.user, key), durable=True):
            raise _unknown(conversation_id)
        parameters = {"conversation": key}
        await self.audit.append(change_by(by, self.org, "conversations.delete", parameters, kind=Kind.STATE))


def _conversation(row: dict[str, object]) -> Conversation:
    return Conversation(
        id=str(row["id"]),
        user=str(row["user_id"]),
        title=str(row["title"]),
        created_at=float(str(row["created_at"])),
        updated_at=float(str(row["updated_at"])),
        messages=int(str(row["messages"])),
    )


def _checked(conversation_id: str) -> str:
    if not is_uuid(conversation_id):
        raise _unknown(conversation_id)
    return conversation_id.lower()


def _unknown(conversation_id: str) -> NotFoundError:
    return NotFoundError(f"there is no conversation {conversation_id[:40]!r} of yours")
