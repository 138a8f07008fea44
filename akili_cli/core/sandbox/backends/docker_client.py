"""The ``docker`` command: what it is asked, how long it may take, and what its answers mean."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from akili_cli.core.sandbox.backends import attached
from akili_cli.core.sandbox.backends.conversation import surely
from akili_cli.core.sandbox.output import HeadTail
from akili_cli.domain.errors import SandboxError

CALL_TIMEOUT_S = 5.0
_FLUSH_S = 1.0
_NO_HOME = "/nonexistent"
_PASSED_ON = ("PATH", "DOCKER_HOST")
_GONE = ("no such container", "is already in progress")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gave; ``code`` None means that it took too long and was ended."""

    code: int | None
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """The first line of the complaint, for people."""
        if self.code is None:
            return f"no answer within {CALL_TIMEOUT_S:g} s"
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[0].removeprefix("docker: ")[:300] if lines else f"exit code {self.code}, without a word"


@dataclass(frozen=True, slots=True)
class Attached:
    """How the client of one container ended; ``code`` is None when it had to be stopped at the time limit."""

    code: int | None
    stdout: HeadTail
    stderr: HeadTail


class DockerClient:
    """Calls ``docker`` in a clean environment: no contexts, plug-ins or credentials of the operator's home."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Take ``PATH`` and ``DOCKER_HOST`` from the operator's environment, and nothing else."""
        kept = {name: env[name] for name in _PASSED_ON if env.get(name)}
        self.host = kept.get("DOCKER_HOST", "")
        self._env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": _NO_HOME, "DOCKER_CLI_HINTS": "false", **kept}
        self._program = shutil.which("docker", path=self._env["PATH"])

    @property
    def installed(self) -> bool:
        """Whether there is such a command."""
        return self._program is not None

    def ask(self, *args: str) -> Answer:
        """Make one call and wait for it, at most five seconds. Raises ``SandboxError`` when it cannot be started."""
        process = self._start(args)
        try:
            out, err = process.communicate(timeout=CALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            attached.kill_group(process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):  # a stray holder of the pipe is not waited for
                process.communicate(timeout=_FLUSH_S)
            return Answer(None, "", "")
        return Answer(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    async def call(self, *args: str) -> Answer:
        """Make one call beside the loop; see ``ask``."""
        return await asyncio.to_thread(self.ask, *args)

    async def attach(self, name: str, args: tuple[str, ...], stdin: bytes, cap_bytes: int, limit_s: float) -> Attached:
        """Run ``args``, which start the container ``name``; container and client are gone afterwards.

        That holds when cancelled, too. Raises ``SandboxError`` when the client does not start, and when the
        container could not be removed.
        """
        out, err = HeadTail(cap_bytes), HeadTail(cap_bytes)
        argv = (self._program or "docker", *args)
        process = await attached.start(argv, stdin=bool(stdin), env=self._env, cwd="/")
        try:
            async with asyncio.timeout(limit_s):
                await attached.serve(process, stdin, out, err)
        except TimeoutError:
            return Attached(None, out, err)
        finally:
            await surely(self._end(name, process, out, err))
        return Attached(process.returncode, out, err)

    async def _end(self, name: str, process: asyncio.subprocess.Process, out: HeadTail, err: HeadTail) -> None:
        """End the container, then the client so that it can start nothing any more, then remove what is left."""
        if process.returncode is None:
            await self.call("kill", name)
        await attached.flush(process, out, err, _FLUSH_S)
        removed = await self.call("rm", "--force", name)
        if removed.code != 0 and not any(words in removed.stderr.lower() for words in _GONE):
            raise SandboxError(
                f"the container {name} could not be removed: {removed.reason}", hint=f"run: docker rm -f {name}"
            )

    def _start(self, args: tuple[str, ...]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                (self._program or "docker", *args),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._env,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SandboxError(f"docker cannot be started: {error}") from error
