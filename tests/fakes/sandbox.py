"""A sandbox that confines nothing: the argv in a process with the request's environment only."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.domain.decisions import Permit


class PlainSandbox:
    """Runs for real, so that only the caller's own care stands between a hostile file and the machine."""

    def __init__(self) -> None:
        self.requests: list[ExecRequest] = []

    def layers(self) -> tuple[Layer, ...]:
        return ()

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        self.requests.append(request)
        with tempfile.TemporaryDirectory() as scratch:
            for name, data in request.files.items():
                Path(scratch, name).write_bytes(data)
            env = {
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": scratch,
                "TMPDIR": scratch,
                "LANG": "en_US.UTF-8",
                "TERM": "dumb",
            }
            started = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *request.argv,
                cwd=request.cwd or scratch,
                env=env | dict(request.env),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            timed_out = False
            try:
                out, err = await asyncio.wait_for(process.communicate(request.stdin), request.timeout_s)
            except TimeoutError:
                timed_out = True
                process.kill()
                out, err = await process.communicate()
            assert process.returncode is not None
            return ExecResult(process.returncode, out, err, time.monotonic() - started, timed_out=timed_out)

    async def close(self) -> None:
        pass
