"""The outbox: takes what is due and puts each delivery through the pipeline as a call of its own."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Principal, Run, Source, Status, StepResult, ToolCall
from akili_cli.domain.ids import new_uuid
from akili_cli.features.notifications import store
from akili_cli.features.notifications.channels import TYPES, channel_type
from akili_cli.features.notifications.courier import LEASE_S, MAX_REASON_CHARS, Courier
from akili_cli.features.notifications.model import Delivery, State

AT_ONCE = 8
BROKE_S = 900.0
TOOL = "notification_deliver"
_CORRELATION_CHARS = 16
_LOG = logging.getLogger(__name__)
_CUT_OFF = "akili was stopped while part {} of {} was on its way: it may have arrived, and is not sent again"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxWorker:
    """A ``core.schedule.base.Chore``; any number of nodes may run one on the same database.

    What a killed process left is judged when its lease ends: a delivery of which no part was on its way is sent; one
    that was is sent again where the service can tell a repetition (webhooks, by their key), else it is
    ``interrupted``: shown, never repeated. ``approval_s`` is how long a held delivery waits for its approval.
    """

    courier: Courier
    pipeline: Pipeline
    approval_s: float
    name: str = "notifications"
    every_s: float = 1.0

    async def tick(self, now: float) -> None:
        """Deliver what is due, until nothing is; raises the first ``AkiliError`` that kept one from being judged."""
        await self._recover(now)
        while claimed := await self._claim():
            results = await asyncio.gather(*(self.send(one) for one in claimed), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def send(self, delivery: Delivery) -> tuple[Delivery, StepResult]:
        """Put one claimed delivery through the pipeline; give how it stands then, and the pipeline's answer."""
        host = await self.courier.endpoint(delivery.channel)
        arguments: dict[str, object] = {"delivery_id": delivery.id, "channel": delivery.channel, "host": host}
        who = Principal(delivery.user, Source(delivery.source), org=self.courier.org)
        step = await put(self.pipeline, arguments, who, run_id=delivery.id)
        await self._judge(delivery, step)
        after = await self.courier.db.read(lambda c: store.delivery(c, self.courier.org, delivery.id))
        return after or delivery, step

    async def _judge(self, delivery: Delivery, step: StepResult) -> None:
        """End or hold a delivery that the pipeline did not let through; one that was tried has its state already.

        A budget that is used up delays a message and does not lose it.
        """
        now = self.courier.clock.now()
        if step.status is Status.APPROVAL_REQUIRED:
            state, due = State.HELD, now + self.approval_s
        elif step.status is Status.BUDGET_EXCEEDED:
            state, due = State.QUEUED, now + BROKE_S
        elif step.status in (Status.OK, Status.FAILED):
            return
        else:
            state, due = State.FAILED, now
        reason = self.courier.redactor.text(step.text)[:MAX_REASON_CHARS]

        def write(connection: Connection) -> None:
            store.settle(connection, delivery, state, reason=reason, due_at=due, now=now, approval_id=step.approval_id)
            store.free_channel(connection, delivery.org, delivery.channel, now)

        await self.courier.db.write(write)

    async def _claim(self) -> list[Delivery]:
        now, org = self.courier.clock.now(), self.courier.org
        return await self.courier.db.write(lambda c: store.claim(c, org, now, now + LEASE_S, AT_ONCE))

    async def _recover(self, now: float) -> None:
        org = self.courier.org

        def write(connection: Connection) -> list[Delivery]:
            store.expire_held(connection, org, now)
            left = store.lost(connection, org, now)
            for one in left:
                state, reason = _verdict(connection, one)
                store.settle(connection, one, state, reason=reason, due_at=now, now=now)
            return left

        for one in await self.courier.db.write(write):
            _LOG.warning(
                "a delivery was cut off",
                extra={"action": "notification.cut_off", "delivery": one.id, "part": one.in_flight},
            )


async def put(pipeline: Pipeline, arguments: dict[str, object], who: Principal, *, run_id: str) -> StepResult:
    """Make the call for one delivery; all its tries are one run."""
    run = Run(id=run_id, principal=who, correlation_id=run_id.replace("-", "")[:_CORRELATION_CHARS])
    return await pipeline.run(ToolCall(new_uuid(), TOOL, arguments), run, reason="a message is due")


def _verdict(connection: Connection, delivery: Delivery) -> tuple[State, str]:
    if delivery.in_flight is None and delivery.parts_total is not None and delivery.parts_done >= delivery.parts_total:
        return State.SENT, ""
    channel = store.channel(connection, delivery.org, delivery.channel)
    known = channel is not None and channel.type in TYPES.names()
    if delivery.in_flight is None or (channel is not None and known and channel_type(channel.type).idempotent):
        if delivery.tries >= delivery.max_tries:
            return State.FAILED, f"akili was stopped while it was at work on it ({delivery.tries} times)"
        return State.QUEUED, "akili was stopped while it was at work on it"
    return State.INTERRUPTED, _CUT_OFF.format(delivery.in_flight + 1, delivery.parts_total)
