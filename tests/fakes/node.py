"""A node that could tick, over a workspace of its own, and a database that is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from akili_cli.bootstrap.app import App, Start, open_app, open_state
from akili_cli.bootstrap.ticking import Ticking, open_ticking
from akili_cli.domain.errors import StorageError


@asynccontextmanager
async def node(tmp_path: Path, **overrides: object) -> AsyncIterator[tuple[App, Ticking]]:
    home = tmp_path / "node-home"
    home.mkdir(mode=0o700)
    start = Start(
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        overrides={"scheduler.enabled": True, **overrides},
    )
    async with (
        open_state(start) as state,
        open_app(state) as app,
        open_ticking(app, ("cron",), durable=False) as ticking,
    ):
        yield app, ticking


class Gone:
    async def read(self, _fn: object) -> None:
        raise StorageError("the database is gone")

    async def write(self, _fn: object, *, durable: bool = False) -> None:
        raise StorageError("the database is gone")
