"""Where a contract test keeps its state, and how to open it."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from akili_cli.adapters.storage.backends.postgres import PostgresDatabase, open_postgres
from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.schema import STEPS, Step

AnyDatabase = SqliteDatabase | PostgresDatabase


class Place(NamedTuple):
    driver: str
    where: str
    schema: str


class OpenDatabase(Protocol):
    def __call__(self, steps: Sequence[Step] = STEPS) -> Awaitable[AnyDatabase]: ...


async def open_place(place: Place, steps: Sequence[Step] = STEPS) -> AnyDatabase:
    if place.driver == "sqlite":
        return await open_sqlite(Path(place.where), steps=steps)
    return await open_postgres(place.where, max_open=8, max_idle=1, lifetime_s=600, schema=place.schema, steps=steps)
