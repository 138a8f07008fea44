"""One launcher, from start to end: sends the request, feeds stdin, keeps output in bounds, waits for the outcome."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from akili_cli.core.sandbox import launcher, wire
from akili_cli.core.sandbox.output import HeadTail
from akili_cli.domain.errors import SandboxError

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_PIECE = 1 << 16
_DRAIN_PIECES = 64  # more than any pipe holds
_MAX_REPLY = 1 << 20
_GRACE_S = 5.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the launcher reported, and the command's output."""

    fields: Mapping[str, Sequence[bytes]]
    stdout: bytes
    stderr: bytes
    truncated: bool


class _Pump:
    """Moves bytes between the loop and one end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


class _Output(_Pump):
    def __init__(self, descriptor: int, cap_bytes: int) -> None:
        super().__init__(descriptor)
        self.kept = HeadTail(cap_bytes)
        self._loop.add_reader(descriptor, self._ready)

    def _ready(self) -> bool:
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return False
        self.kept.add(data)
        if not data:
            self.close()
        return bool(data)

    def drain(self) -> None:
        """Take what is still in the pipe; a process that holds it open is not waited for."""
        for _ in range(_DRAIN_PIECES):
            if self._descriptor < 0 or not self._ready():
                break
        self.close()


class _Input(_Pump):
    def __init__(self, descriptor: int, data: bytes) -> None:
        super().__init__(descriptor)
        self._rest = memoryview(data)
        self._loop.add_writer(descriptor, self._ready)

    def _ready(self) -> None:
        try:
            self._rest = self._rest[os.write(self._descriptor, self._rest[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:  # the command does not read it
            self._rest = self._rest[:0]
        if not self._rest:
            self.close()


async def surely(work: Coroutine[object, object, T]) -> T:
    """Finish some work even when cancelled meanwhile; the cancellation is passed on afterwards."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return task.result()


async def converse(
    request: Mapping[str, Sequence[bytes]], *, stdin: bytes, cap_bytes: int, timeout_s: float, owner: int | None
) -> Outcome:
    """Start a launcher and give its outcome; it and all it started are gone afterwards, also when cancelled.

    ``owner`` is the uid that the command runs as when it differs: the pipes are made its own, for programs that
    open /dev/stdout by name. Raises ``SandboxError`` when the launcher does not start or does not answer.
    """
    message = wire.pack(request)
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        stack.callback(theirs.close)
        out, out_end = _pipe(stack, owner)
        err, err_end = _pipe(stack, owner)
        source, feed = _source(stack, stdin, owner)
        process = _launch(theirs, (source, out_end, err_end))
        stack.pop_all()
    for end in (source, out_end, err_end):
        os.close(end)
    theirs.close()
    outputs = (_Output(out, cap_bytes), _Output(err, cap_bytes))
    pumps: list[_Pump] = [*outputs]
    if feed is not None:
        pumps.append(_Input(feed, stdin))
    try:
        async with asyncio.timeout(timeout_s + _GRACE_S):
            reply = await _exchange(ours, message)
    except TimeoutError:
        raise SandboxError("the sandbox launcher did not answer in time and was ended") from None
    finally:
        ours.close()  # the lifeline: the launcher ends everything when this hangs up
        try:
            await surely(asyncio.to_thread(_end, process))
        finally:
            for output in outputs:
                output.drain()
            for pump in pumps:
                pump.close()
    try:
        fields = wire.unpack(reply[4:])
    except ValueError:
        fields = {}
    kept = tuple(output.kept for output in outputs)
    return Outcome(fields, kept[0].content(), kept[1].content(), any(stream.truncated for stream in kept))


def _launch(control: socket.socket, streams: tuple[int, int, int]) -> subprocess.Popen[bytes]:
    stdin, stdout, stderr = streams
    try:
        return subprocess.Popen(
            _command(control.fileno()),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=_ENVIRONMENT,
            cwd="/",
            pass_fds=(control.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"the sandbox launcher cannot be started: {error}") from error


def _command(control: int) -> list[str]:
    return [sys.executable, "-I", "-S", str(Path(launcher.__file__).resolve()), str(control)]


def _pipe(stack: contextlib.ExitStack, owner: int | None) -> tuple[int, int]:
    ours, theirs = os.pipe()
    stack.callback(os.close, ours)
    stack.callback(os.close, theirs)
    if owner is not None:
        os.fchown(theirs, owner, owner)
    return ours, theirs


def _source(stack: contextlib.ExitStack, stdin: bytes, owner: int | None) -> tuple[int, int | None]:
    if not stdin:
        null = os.open(os.devnull, os.O_RDONLY)
        stack.callback(os.close, null)
        return null, None
    read, write = _pipe(stack, owner)
    return read, write


async def _exchange(control: socket.socket, message: bytes) -> bytes:
    """Send the request and read until the launcher has gone; a broken exchange gives what there is."""
    loop = asyncio.get_running_loop()
    control.setblocking(False)
    reply = bytearray()
    try:
        await loop.sock_sendall(control, message)
        while len(reply) < _MAX_REPLY and (data := await loop.sock_recv(control, _PIECE)):
            reply += data
    except ConnectionError:
        return bytes(reply)
    return bytes(reply)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(request: Mapping[str, Sequence[bytes]]) -> Mapping[str, Sequence[bytes]]:
    """Send one request to a launcher that runs nothing, and give its answer; blocks for some 30 ms.

    Raises ``SandboxError`` when the launcher does not start or does not answer.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs, Path(os.devnull).open("r+b") as null:
        process = _launch(theirs, (null.fileno(),) * 3)
        theirs.close()
        ours.settimeout(2 * _GRACE_S)
        reply = bytearray()
        try:
            ours.sendall(wire.pack(request))
            while data := ours.recv(_PIECE):
                reply += data
            return wire.unpack(bytes(reply[4:]))
        except (OSError, ValueError) as error:
            raise SandboxError(f"the sandbox launcher did not answer: {error}") from error
        finally:
            ours.close()
            _end(process)
