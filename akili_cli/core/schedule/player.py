"""Plays one fire to its end: the body that engines run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from akili_cli.adapters.engine.base import Body, Json, Steps
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Schedule
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError

RecordFire = Callable[[Fire, Ended | None], Awaitable[None]]
"""Writes to the audit that a fire begins (no end yet) or how it ended."""

_LOG = logging.getLogger(__name__)


class Player:
    """Runs fires of every kind on this node and writes down how they ended, once."""

    def __init__(
        self, db: Database, org: str, node: str, schedules: Sequence[Schedule], record: RecordFire, clock: Clock
    ) -> None:
        """Keep the parts; two schedules of one kind are a mistake in the wiring."""
        self._db = db
        self._org = org
        self._node = node
        self.schedules = {schedule.kind: schedule for schedule in schedules}
        self._record = record
        self._clock = clock

    def bodies(self) -> Mapping[str, Body]:
        """Give what an engine runs, by kind."""
        return dict.fromkeys(self.schedules, self._body)

    async def _body(self, steps: Steps, _payload: Mapping[str, Json]) -> Json:
        ended = await self.play(steps.run_id, steps)
        return None if ended is None else str(ended.status)

    async def play(self, fire_id: str, steps: Steps) -> Ended | None:
        """Play a fire that is running; None when it has ended already or another node took it meanwhile.

        1. It becomes this node's. 2. Its begin is on record. 3. Its room runs it. 4. Its end, the room's
        bookkeeping and what is to be told are one transaction. A fire whose run fails has ended, too.
        """
        fire = await self._db.write(lambda conn: store.claim(conn, self._org, fire_id, self._node), durable=True)
        if fire is None:
            return None
        correlation.set(str(fire.payload.get("correlation_id") or fire.id))  # whatever is logged from here on names it
        await self._record(fire, None)
        began = self._clock.monotonic()
        ended = await self._run(fire, steps)
        ended = replace(ended, duration_s=self._clock.monotonic() - began)
        if not await self._end(fire, ended):
            _LOG.warning("a fire was taken over by another node", extra={"fire": fire.id})
            return None
        await self._record(fire, ended)
        return ended

    async def record_missed(self, fire: Fire, ended: Ended) -> None:
        """Put a fire on record that never runs; raises ``AuditError``."""
        await self._record(fire, ended)

    async def _run(self, fire: Fire, steps: Steps) -> Ended:
        schedule = self.schedules[fire.kind]
        try:
            return await schedule.run(fire, steps)
        except AkiliError as error:
            return Ended(status=FireStatus.FAILED, error=f"{error} ({error.hint})" if error.hint else str(error))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _LOG.exception("a fire broke", extra={"fire": fire.id})
            return Ended(status=FireStatus.FAILED, error=f"internal error ({type(error).__name__}); see the log")

    async def _end(self, fire: Fire, ended: Ended) -> bool:
        now = self._clock.now()

        def work(conn: Connection) -> bool:
            if not store.end(conn, fire, ended, now):
                return False
            self.schedules[fire.kind].ended(conn, fire, ended, now)
            return True

        return await self._db.write(work, durable=True)
