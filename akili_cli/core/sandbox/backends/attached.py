"""A client process that stands for a command: its streams in bounded memory, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping

from akili_cli.core.sandbox.output import HeadTail
from akili_cli.domain.errors import SandboxError

_PIECE = 1 << 16


async def start(argv: tuple[str, ...], *, stdin: bool, env: Mapping[str, str], cwd: str) -> asyncio.subprocess.Process:
    """Start a process in a session of its own; raises ``SandboxError`` when it does not start."""
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise SandboxError(
            f"{os.path.basename(argv[0])} cannot be started: {error}",  # noqa: PTH119 - a name, no path
            hint="pass long text as a file or stdin",
        ) from error


async def serve(process: asyncio.subprocess.Process, data: bytes, out: HeadTail, err: HeadTail) -> None:
    """Feed stdin and keep the output until the process has ended."""
    await asyncio.gather(drain(process, out, err), _feed(process.stdin, data), process.wait())


async def drain(process: asyncio.subprocess.Process, out: HeadTail, err: HeadTail) -> None:
    """Read both streams to their ends."""
    await asyncio.gather(_read(process.stdout, out), _read(process.stderr, err))


async def flush(process: asyncio.subprocess.Process, out: HeadTail, err: HeadTail, limit_s: float) -> None:
    """Take what still comes, for a limited time, then end the whole session."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await asyncio.gather(drain(process, out, err), process.wait())
    kill_group(process.pid)
    await process.wait()


def kill_group(group: int) -> None:
    """End a process that was started in a session of its own, with what it started there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


async def _read(stream: asyncio.StreamReader | None, kept: HeadTail) -> None:
    while stream is not None and (data := await stream.read(_PIECE)):
        kept.add(data)


async def _feed(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):  # the command does not read it
        stream.write(data)
        await stream.drain()
    stream.close()
