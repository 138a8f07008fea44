"""Run as a program of its own: what a second akili does to the same database at the same time."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from akili_cli.adapters.storage.backends.postgres import open_postgres
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import BudgetExceededError

COUNT_UP = (
    "INSERT INTO meta (key, value) VALUES ('n', '1')"
    " ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(meta.value AS bigint) + 1 AS text)"
)


async def count_up(db: Database, times: int) -> int:
    for turn in range(times):
        await db.write(lambda c: c.execute(COUNT_UP), durable=turn % 5 == 0)
    return times


async def spend(db: Database, times: int) -> int:
    ledger = Ledger(db, "default", BudgetSettings(default_limit_usd=1.0), SystemClock())

    async def once() -> int:
        try:
            hold = await ledger.reserve("ann", "run", 0.1)
        except BudgetExceededError:
            return 0
        await ledger.settle(hold, 0.1)
        return 1

    return sum(await asyncio.gather(*(once() for _ in range(times))))


async def claim(db: Database, times: int) -> int:
    def one(connection: Connection) -> int:
        return connection.changed(
            "UPDATE meta SET value = 'taken' WHERE key ="
            " (SELECT key FROM meta WHERE value = 'free' ORDER BY key LIMIT 1 {skip}) AND value = 'free'"
        )

    return sum([await db.write(one) for _ in range(times)])


VERBS = {"count_up": count_up, "spend": spend, "claim": claim}


async def main(verb: str, driver: str, where: str, schema: str, times: int) -> int:
    db: Database
    if driver == "sqlite":
        db = await open_sqlite(Path(where))
    else:
        db = await open_postgres(where, max_open=4, max_idle=1, lifetime_s=600, schema=schema)
    try:
        return await VERBS[verb](db, times)
    finally:
        await db.close()


if __name__ == "__main__":
    verb, driver, where, schema, times = sys.argv[1:]
    sys.stdout.write(str(asyncio.run(main(verb, driver, where, schema, int(times)))))
