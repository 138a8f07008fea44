from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.history import History
from akili_cli.core.agent.settings import MemorySettings
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, FireStatus, Job
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import (
    AkiliError,
    BusyError,
    ConflictError,
    InvalidArgumentsError,
    NotFoundError,
    RefusedError,
)
from akili_cli.domain.ids import new_uuid
from akili_cli.features.queries.live import LiveRuns
from akili_cli.features.queries.model import QueryDraft
from akili_cli.features.queries.service import QueryService
from tests.fakes.clock import FakeClock
from tests.unit.features.queries.test_store import fire

ANN, BEN, ROOT = (Principal(name, Source.HTTP) for name in ("ann", "ben", "root"))


@dataclass
class Desk:
    db: Database
    history: History
    launched: list[Job] = field(default_factory=list)
    redactor: Redactor = field(default_factory=Redactor)

    async def launch(self, job: Job, _kind: str, also: Callable[[Connection], None]) -> None:
        def work(conn: Connection) -> None:
            fires.add(conn, fire(job.id), FireStatus.RUNNING, job.next_run_at)
            also(conn)

        await self.db.write(work)
        self.launched.append(job)

    def service(self, *, max_running: int = 9, memory: bool = True) -> QueryService:
        return QueryService(
            db=self.db,
            org="default",
            clock=FakeClock(),
            history=self.history if memory else None,
            live=LiveRuns(),
            launch=self.launch,
            is_admin=lambda by: by.user == "root",
            max_running=max_running,
            redactor=self.redactor,
        )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await open_sqlite(tmp_path / "akili.db")
    yield Desk(db, History(db, "default", FakeClock(), MemorySettings.model_validate({})))
    await db.close()


def draft(**more: object) -> QueryDraft:
    return QueryDraft.model_validate({"message": "why?", **more})


async def test_a_question_is_kept_and_begun_in_a_conversation_of_its_own(desk: Desk) -> None:
    service = desk.service()
    asked = await service.ask(draft(), ANN, "c" * 16)
    assert asked == await service.get(asked.id, ANN)
    assert asked.conversation_id is not None
    assert await desk.history.owns(asked.conversation_id, "ann")
    (job,) = desk.launched
    assert (job.id, job.user, dict(job.payload)) == (asked.id, "ann", {"source": "http", "correlation_id": "c" * 16})
    assert service.live.knows(asked.id)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"conversation_id": "none"}, InvalidArgumentsError),
        ({"conversation_id": new_uuid()}, RefusedError),
        ({"conversation_id": new_uuid(), "runbook": "x"}, InvalidArgumentsError),
    ],
)
async def test_a_conversation_that_cannot_go_on_is_refused(
    desk: Desk, more: dict[str, object], error: type[AkiliError]
) -> None:
    with pytest.raises(error):
        await desk.service().ask(draft(**more), ANN, "c")
    assert desk.launched == []


async def test_a_conversation_is_one_persons_and_takes_one_question_at_a_time(desk: Desk) -> None:
    service = desk.service()
    first = await service.ask(draft(), ANN, "c")
    same = draft(conversation_id=str(first.conversation_id).upper())
    with pytest.raises(RefusedError):
        await service.ask(same, BEN, "c")
    with pytest.raises(ConflictError):
        await service.ask(same, ANN, "c")
    assert len(desk.launched) == 1
    await desk.db.write(lambda conn: fires.end(conn, fire(first.id), Ended(status=FireStatus.OK), 1.0))
    assert (await service.ask(same, ANN, "c")).conversation_id == first.conversation_id


async def test_only_so_many_are_answered_side_by_side(desk: Desk) -> None:
    service = desk.service(max_running=1)
    await service.ask(draft(), ANN, "c")
    with pytest.raises(BusyError) as caught:
        await service.ask(draft(), BEN, "c")
    assert caught.value.retryable
    assert len(await service.list(ROOT)) == 1


async def test_one_user_gets_half_of_the_places_and_no_more(desk: Desk) -> None:
    service = desk.service(max_running=2)
    first = await service.ask(draft(), ANN, "c")
    await desk.db.write(lambda conn: conn.execute("UPDATE fires SET user_id = 'ann'", {}))
    with pytest.raises(BusyError, match="1 questions of ann"):
        await service.ask(draft(), ANN, "c")
    assert (await service.ask(draft(), BEN, "c")).id != first.id


async def test_a_question_that_finds_no_place_leaves_no_conversation_behind(desk: Desk) -> None:
    service = desk.service(max_running=1)
    await service.ask(draft(), ANN, "c")
    with pytest.raises(BusyError):
        await service.ask(draft(), BEN, "c")
    assert await desk.history.list("ben", 10) == ()


async def test_what_is_kept_of_a_question_holds_no_secret(desk: Desk) -> None:
    desk.redactor.register("correct-horse-battery", "test")
    asked = draft(attachments=[{"label": "a", "text": "it is correct-horse-battery"}])
    asked = asked.model_copy(update={"message": "use correct-horse-battery"})
    await desk.service().ask(asked, ANN, "c")
    rows = await desk.db.read(lambda conn: conn.execute("SELECT draft FROM queries", {}))
    assert "correct-horse" not in str(rows)


async def test_without_memory_there_is_no_conversation_and_none_can_be_named(desk: Desk) -> None:
    service = desk.service(memory=False)
    assert (await service.ask(draft(), ANN, "c")).conversation_id is None
    assert (await desk.service().ask(draft(runbook="x"), ANN, "c")).conversation_id is None
    with pytest.raises(InvalidArgumentsError):
        await service.ask(draft(conversation_id=new_uuid()), ANN, "c")


async def test_everybody_sees_and_stops_only_their_own_but_an_admin(desk: Desk) -> None:
    service = desk.service()
    asked = await service.ask(draft(), ANN, "c")
    for forbidden in (service.get(asked.id, BEN), service.stop(asked.id, BEN), service.get("none", ANN)):
        with pytest.raises(NotFoundError):
            await forbidden
    assert [len(await service.list(by)) for by in (ANN, BEN, ROOT)] == [1, 0, 1]
    assert (await service.stop(asked.id, ROOT)).stop_by == "root"
    await desk.db.write(lambda conn: fires.end(conn, fire(asked.id), Ended(status=FireStatus.OK), 1.0))
    assert (await service.stop(asked.id, ANN)).stop_by == "root"
    assert await service.list(ANN, open_only=True) == []
