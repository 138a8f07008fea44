"""Waits for runs and follows them, on whatever node they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.domain.calls import Principal
from akili_cli.features.queries.live import IDLE_S, LAST, Frame, Notice
from akili_cli.features.queries.model import Query
from akili_cli.gateways.http import sse
from akili_cli.gateways.http.desk import Desk

LOOK_S = 0.5
"""Seconds between two looks at a run of another node."""

MAX_WAITING = 1000


async def answer_or_approval(desk: Desk, query: Query, by: Principal) -> tuple[Query, list[Mapping[str, object]]]:
    """Wait until a run that began here has ended or waits for a person; give it, and the cards of what it waits for.

    It may also be neither, when this node is about to end: then the run goes on elsewhere.
    """
    cards: list[Mapping[str, object]] = []
    async for one in desk.live.follow(query.id):
        if isinstance(one, Frame) and one.event.name == "approval.requested":
            cards = await waiting(desk, query)
        if cards:  # somebody may have ruled meanwhile
            break
    return await desk.queries.get(query.id, by), cards


async def waiting(desk: Desk, query: Query) -> list[Mapping[str, object]]:
    """Give the cards of what a run waits for."""
    held = await desk.pipeline.approvals.list(ApprovalStatus.PENDING, MAX_WAITING)
    return [await desk.pipeline.card(one.id) for one in held if one.run_id == query.id]


async def stream(desk: Desk, query: Query, by: Principal, after: int = 0) -> AsyncIterator[bytes]:
    """Write a run's frames after a number, up to its end; of a run of another node only that it goes on and its end."""
    if desk.live.knows(query.id):
        async for one in desk.live.follow(query.id, after):
            if isinstance(one, Notice):
                yield sse.noticed(one)
                continue
            yield sse.written(one)
            after = one.number
            if one.event.name == LAST:
                return
    elif after:
        yield sse.noticed(Notice.GAP)
    async for now in _looks(desk, query, by):
        yield sse.noticed(Notice.IDLE) if now is None else sse.end(now.outcome(), after + 1)


async def _looks(desk: Desk, query: Query, by: Principal) -> AsyncIterator[Query | None]:
    """Yield nothing every so often while a run goes on, then the run; end early when this node does."""
    quiet = 0.0
    while not desk.live.closed:
        now = await desk.queries.get(query.id, by)
        if now.ended:
            yield now
            return
        await desk.clock.sleep(LOOK_S)
        quiet += LOOK_S
        if quiet >= IDLE_S:
            quiet = 0.0
            yield None
