"""Writes files until the workspace's disk is full, goes on trying, and starts again when there is room.

Run as a program of its own: ``python -m tests.fakes.full_disk_run tmpfs|limit WORK``. With ``tmpfs`` the workspace lies
on a small file system, with ``limit`` its files may not grow. It writes what happened as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from akili_cli.bootstrap.app import Start, State, open_app, open_state
from akili_cli.core.audit.chain import load_or_create_key
from akili_cli.core.audit.verify import verify
from akili_cli.domain.calls import Principal, Run, ToolCall
from akili_cli.domain.errors import AkiliError

ROOM_BYTES = 600_000
MOST_CALLS = 1000
TRIES_AFTER = 5


def fill(state: State) -> Callable[[], object]:
    """Leave little room on the workspace's disk; give what makes room again."""
    filler = state.workspace.root / "logs" / "filler"
    place = os.statvfs(state.workspace.root)
    filler.write_bytes(b"x" * (place.f_bavail * place.f_frsize - ROOM_BYTES))
    return filler.unlink


def limit(state: State) -> Callable[[], object]:
    """Let no file grow much further; give what takes the limit away."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    now = max(path.stat().st_size for path in state.workspace.root.rglob("*") if path.is_file())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (now + ROOM_BYTES, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


async def write(work: Path, exhaust: Callable[[State], Callable[[], object]]) -> dict[str, Any]:
    """Write until it is refused; the last calls are tries after the first refusal."""
    said: dict[str, Any] = {"calls": 0, "errors": []}
    make_room: Callable[[], object] = int
    try:
        async with open_state(Start(dict(os.environ), work)) as state, open_app(state) as app:
            run = Run("full", Principal("ann"), "c" * 16)
            make_room = exhaust(state)
            while said["calls"] < MOST_CALLS and len(said["errors"]) <= TRIES_AFTER:
                said["calls"] += 1
                path = work / f"f{said['calls']}"
                call = ToolCall(f"c{said['calls']}", "file_write", {"path": str(path), "content": "x"})
                try:
                    step = await app.pipeline.run(call, run)
                    assert step.status == "ok", step
                    assert said["errors"] == [], "something ran after a refusal"
                except AkiliError as error:
                    said["errors"].append(f"{type(error).__name__}: {error}; {error.hint}")
    finally:
        make_room()
    return said


async def look(work: Path) -> dict[str, Any]:
    """Start again, and say what the record holds."""
    async with open_state(Start(dict(os.environ), work)) as state:
        async with open_app(state) as app:
            interrupted = app.pipeline.audit.interrupted
        key = load_or_create_key(state.workspace.audit_key)
        report = await verify(state.db, state.workspace.audit_dir, key)
        sql = "SELECT call_id FROM audit_events WHERE kind = 'call.intent'"
        intents = [str(row["call_id"]) for row in await state.db.read(lambda connection: connection.execute(sql))]
    problems = [problem.what for problem in report.problems]
    return {"interrupted": interrupted, "problems": problems, "intents": intents}


def main() -> None:
    kind, work = sys.argv[1], Path(sys.argv[2])
    said = asyncio.run(write(work, fill if kind == "tmpfs" else limit))
    said |= asyncio.run(look(work))
    said["effects"] = sorted(path.name for path in work.iterdir())
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
