from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.conversations import ConversationService
from akili_cli.core.agent.history import History
from akili_cli.core.agent.settings import MemorySettings
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.reader import AuditReader, Search
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.messages import Message, TextBlock
from tests.fakes.clock import FakeClock
from tests.fakes.wiring import KEY

ANN, BEN = Principal("ann", Source.HTTP), Principal("ben", Source.HTTP)


@dataclass(frozen=True)
class Room:
    service: ConversationService
    history: History
    clock: FakeClock
    reader: AuditReader


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    db, clock = await open_sqlite(tmp_path / "akili.db"), FakeClock()
    audit = await open_audit_log(db, tmp_path / "audit", KEY, clock, Redactor(), "default")
    service = ConversationService(db=db, org="default", audit=audit)
    history = History(db, "default", clock, MemorySettings.model_validate({}))
    yield Room(service, history, clock, AuditReader(db, "default"))
    await audit.close()
    await db.close()


async def began(room: Room, user: str, *texts: str) -> str:
    conversation = await room.history.create(user)
    for text in texts:
        room.clock.move(1)
        await room.history.append(conversation, user, (Message("user", (TextBlock(text),)),))
    return conversation


async def test_somebody_sees_their_own_newest_first_page_by_page(room: Room) -> None:
    ids = [await began(room, "ann", f"question {number}") for number in range(3)]
    await began(room, "ben", "mine")
    first = await room.service.list(ANN, limit=2)
    assert [one.id for one in first] == ids[:0:-1]
    rest = await room.service.list(ANN, before=(first[-1].updated_at, first[-1].id), limit=2)
    assert [(one.id, one.title, one.messages) for one in rest] == [(ids[0], "question 0", 1)]


async def test_a_conversation_is_shown_with_its_newest_messages_in_order(room: Room) -> None:
    conversation = await began(room, "ann", "one", "two", "three")
    found, messages = await room.service.show(conversation, ANN, limit=2)
    assert (found.as_dict()["title"], found.messages) == ("one", 3)
    assert [(one["number"], one["role"], one["content"]) for one in messages] == [
        (2, "user", "two"),
        (3, "user", "three"),
    ]
    assert messages[0]["blocks"] == [{"type": "text", "text": "two", "untrusted": None}]


async def test_what_is_forgotten_is_gone_and_on_record(room: Room) -> None:
    conversation = await began(room, "ann", "one")
    await room.service.forget(conversation, ANN)
    assert await room.service.list(ANN) == []
    (record,) = await room.reader.search(Search(tool="conversations.delete"), 10)
    assert (record.record.user, record.record.source) == ("ann", "http")
    assert record.record.parameters == {"conversation": conversation}


@pytest.mark.parametrize("other", ["theirs", "no id", "12345678-1234-1234-1234-123456789012"])
async def test_what_is_not_ones_own_is_not_there(room: Room, other: str) -> None:
    wanted = await began(room, "ben", "mine") if other == "theirs" else other
    for act in (room.service.show(wanted, ANN), room.service.forget(wanted, ANN)):
        with pytest.raises(NotFoundError, match="there is no conversation"):
            await act
    assert len(await room.service.list(BEN)) == (other == "theirs")
