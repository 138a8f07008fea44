"""A run of writes that can be killed at any moment and goes on where it stopped. Run as a program of its own.

``python -m tests.fakes.crash_run WORK`` answers lines on standard input: ``life NAME`` starts akili in a process of its
own (a fork, so that a start costs milliseconds) and says its id, then ``opened`` when akili is open; ``last NAME`` is
one that ends by itself after a few calls; ``wait ID`` says how a process ended. Whatever such a process leaves behind
becomes a child of this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import traceback
from pathlib import Path

from akili_cli.bootstrap.app import App, Start, open_app, open_state
from akili_cli.core.sandbox import kernel
from akili_cli.domain.calls import Principal, Run, ToolCall

RUN_ID = "scripted"
LAST_CALLS = 3


def call_of(lane: str, number: int, work: Path, life: str) -> ToolCall:
    """Give a call whose effect can be seen to have happened twice: each names the life it was made in."""
    name = f"{lane}{number}"
    if lane == "file":
        arguments: dict[str, object] = {"path": str(work / "files" / name), "content": f"{name} {life}\n"}
        return ToolCall(name, "file_write", arguments)
    line = f"sleep 0.0{number % 4}; echo {name} {life} >> lines.txt; sleep 0.0{number % 3}"
    if number % 3 == 0:
        line = f"sleep 60 & {line}"
    return ToolCall(name, "shell_exec", {"command": line, "working_dir": str(work / "log")})


async def play(app: App, lane: str, work: Path, life: str, calls: int | None) -> None:
    """Make the lane's calls in order; what has an outcome is done."""
    sql = "SELECT call_id FROM audit_events WHERE run_id = :run AND kind = 'call.outcome'"
    rows = await app.state.db.read(lambda connection: connection.execute(sql, {"run": RUN_ID}))
    done = {str(row["call_id"]) for row in rows}
    run = Run(RUN_ID, Principal("ann"), "c" * 16)
    number = 0
    while calls is None or calls > 0:
        number += 1
        call = call_of(lane, number, work, life)
        if call.id in done:
            continue
        step = await app.pipeline.run(call, run)
        assert step.status == "ok", (step.status, step.text)
        calls = None if calls is None else calls - 1


async def live(work: Path, life: str, calls: int | None) -> None:
    """Open akili, say so, and play both lanes at once."""
    async with open_state(Start(dict(os.environ), work)) as state, open_app(state) as app:
        os.write(1, b"opened\n")
        await asyncio.gather(*(play(app, lane, work, life, calls) for lane in ("file", "line")))


def begin(work: Path, life: str, calls: int | None) -> int:
    """Fork a process that plays, and give its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        asyncio.run(live(work, life, calls))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def reap() -> None:
    """Take note of the end of what was left behind."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> None:
    work = Path(sys.argv[1])
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    gc.freeze()
    for line in sys.stdin:
        word, value = line.split()
        if word == "wait":
            _, status = os.waitpid(int(value), 0)
            answer = os.waitstatus_to_exitcode(status)
            reap()
        else:
            answer = begin(work, value, LAST_CALLS if word == "last" else None)
        os.write(1, f"{word} {answer}\n".encode())


if __name__ == "__main__":
    main()
