"""What the gateway's stores promise, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.conversations import ConversationService
from akili_cli.core.agent.history import History
from akili_cli.core.agent.settings import MemorySettings
from akili_cli.core.approvals.approvers import Power
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.reader import AuditReader, Search
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import ConflictError, RateLimitedError
from akili_cli.domain.messages import Message, TextBlock
from akili_cli.domain.risk import Risk
from akili_cli.features.webhooks.service import WebhookService
from tests.fakes.clock import FakeClock
from tests.fakes.tools import Destroy, Look
from tests.fakes.wiring import KEY, call_of, open_bench, run_by
from tests.unit.features.webhooks.test_service import ALERTS, SIG, SIGNED

ANN = Principal("ann", Source.HTTP)


async def test_of_deliveries_at_once_one_begins_a_run_and_no_more_than_may(db: Database) -> None:
    service = WebhookService(db=db, org="default", clock=FakeClock(), hooks={})
    once = await asyncio.gather(*(service.take(SIGNED, SIG, ()) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, ConflictError) for one in once) == 4
    same = await asyncio.gather(*(service.take(ALERTS, None, ("alert a firing",)) for _ in range(5)))
    assert sum(one.run_id is None for one in same) == 1
    others = await asyncio.gather(
        *(service.take(ALERTS, None, (f"alert {number} firing",)) for number in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, RateLimitedError) for one in others) == 4


async def test_conversations_are_paged_shown_and_forgotten(db: Database, tmp_path: Path) -> None:
    clock = FakeClock()
    audit = await open_audit_log(db, tmp_path / "audit", KEY, clock, Redactor(), "default")
    service = ConversationService(db=db, org="default", audit=audit)
    history = History(db, "default", clock, MemorySettings.model_validate({}))
    for text in ("one", "two"):
        clock.move(1)
        conversation = await history.create("ann")
        await history.append(conversation, "ann", (Message("user", (TextBlock(text),)),))
    (newest,) = await service.list(ANN, limit=1)
    (older,) = await service.list(ANN, before=(newest.updated_at, newest.id), limit=5)
    assert (newest.title, older.title, older.messages) == ("two", "one", 1)
    await service.forget(newest.id, ANN)
    assert [one.id for one in await service.list(ANN)] == [older.id]
    await audit.close()


async def test_approvals_and_records_are_paged(db: Database, tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Destroy(), Look()], db=db) as bench:
        pipeline: Pipeline = bench.pipeline
        for number in range(3):
            await pipeline.run(call_of("destroy", id=f"call-{number}"), run_by("ann", source=Source.HTTP))
        queue = pipeline.approvals
        assert queue.approvers.power_of(ANN) == Power("operator", Risk.CRITICAL)
        first = await queue.seen_by(ANN, limit=2)
        rest = await queue.seen_by(ANN, before=(first[-1].created_at, first[-1].id), limit=2)
        assert len({one.id for one in (*first, *rest)}) == 3
        reader = AuditReader(db, "default")
        newest = await reader.search(Search(user="ann"), 2)
        older = await reader.search(Search(user="ann", before=(newest[-1].at, newest[-1].id)), 2)
        assert [one.id for one in (*newest, *older)] == [one.id for one in await reader.search(Search(user="ann"), 3)]
