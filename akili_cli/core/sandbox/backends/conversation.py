"""One command, from start to end: sends the request, feeds stdin, keeps output in bounds, waits for the outcome."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from akili_cli.core.sandbox import wire
from akili_cli.core.sandbox.backends.spawn import Zygote
from akili_cli.core.sandbox.backends.staged import Staging
from akili_cli.core.sandbox.output import HeadTail
from akili_cli.core.sandbox.proxy import Proxy
from akili_cli.domain.errors import SandboxError

_PIECE = 1 << 16
_DRAIN_PIECES = 64  # more than any pipe holds
_MAX_REPLY = 1 << 20
_MAX_DESCRIPTORS = 253
_GRACE_S = 5.0
_FULL_S = 0.002
_FRAME = wire.LENGTH
_STARTS = bytes(_FRAME)
_HEADER = ("timeout_ms", "memory_bytes", "cpu_s", "disk_bytes", "writable")
_MAX_HEADER = 60_000
Fields = Mapping[str, Sequence[bytes]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was reported, whether anything of the command may have run, and its output."""

    fields: Fields
    started: bool
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
    zygote: Zygote,
    request: Fields,
    *,
    stdin: bytes,
    cap_bytes: int,
    timeout_s: float,
    owner: int | None,
    door: Proxy | None,
    staging: Staging,
) -> Outcome:
    """Run one command and give its outcome; it and all it started are gone afterwards, also when cancelled.

    ``owner`` is the uid that the command runs as when it differs: the pipes are made its own, for programs that
    open /dev/stdout by name. ``door`` serves the command's network, if it has one, and ``staging`` takes what it is
    shown instead of directories of another owner.

    Raises ``SandboxError`` when the zygote does not start or nobody answers.
    """
    message = wire.pack(request)
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        near = contextlib.ExitStack()
        far = stack.enter_context(contextlib.ExitStack())
        stack.callback(near.close)
        far.callback(theirs.close)
        out, out_end = _pipe(near, far, owner)
        err, err_end = _pipe(near, far, owner)
        feed, source = _source(near, far, stdin, owner)
        await _hand(zygote, _header(request), (theirs.fileno(), source, out_end, err_end))
        far.close()
        outputs = (_Output(out, cap_bytes), _Output(err, cap_bytes))
        pumps: list[_Pump] = [*outputs]
        if feed is not None:
            pumps.append(_Input(feed, stdin))
        near.pop_all()
        try:
            fields, started = await _exchange(zygote, ours, message, timeout_s, door, staging)
        finally:
            for output in outputs:
                output.drain()
            for pump in pumps:
                pump.close()
            if door is not None:
                await surely(door.close())
    kept = tuple(output.kept for output in outputs)
    return Outcome(fields, started, kept[0].content(), kept[1].content(), any(stream.truncated for stream in kept))


def ask(zygote: Zygote, request: Fields) -> Fields:
    """Send one request that runs nothing, and give its answer; blocks for some 30 ms when the zygote starts.

    Raises ``SandboxError`` when the zygote does not start or nobody answers.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        null = os.open(os.devnull, os.O_RDWR)
        try:
            zygote.hand(_header(request), (theirs.fileno(), null, null, null))
        except BlockingIOError as error:
            raise SandboxError("the sandbox's zygote is overloaded") from error
        finally:
            os.close(null)
        theirs.close()
        ours.settimeout(2 * _GRACE_S)
        reply = bytearray()
        try:
            ours.sendall(wire.pack(request))
            while data := ours.recv(_PIECE):
                reply += data
            return wire.unpack(bytes(reply[_FRAME:]))
        except (OSError, ValueError) as error:
            raise SandboxError(f"the sandbox did not answer: {error}") from error


def _header(request: Fields) -> bytes:
    header = wire.pack({name: request[name] for name in _HEADER})[_FRAME:]
    if len(header) > _MAX_HEADER:
        raise SandboxError("the permit names too many places to write to")
    return header


async def _hand(zygote: Zygote, header: bytes, descriptors: Sequence[int]) -> None:
    try:
        async with asyncio.timeout(_GRACE_S):
            while True:
                try:
                    return zygote.hand(header, descriptors)
                except BlockingIOError:
                    await asyncio.sleep(_FULL_S)
    except TimeoutError:
        raise SandboxError("too many commands wait for the sandbox") from None


def _pipe(near: contextlib.ExitStack, far: contextlib.ExitStack, owner: int | None) -> tuple[int, int]:
    ours, theirs = os.pipe()
    near.callback(os.close, ours)
    far.callback(os.close, theirs)
    if owner is not None:
        os.fchown(theirs, owner, owner)
    return ours, theirs


def _source(
    near: contextlib.ExitStack, far: contextlib.ExitStack, stdin: bytes, owner: int | None
) -> tuple[int | None, int]:
    if not stdin:
        null = os.open(os.devnull, os.O_RDONLY)
        far.callback(os.close, null)
        return None, null
    read, write = os.pipe()
    near.callback(os.close, write)
    far.callback(os.close, read)
    if owner is not None:
        os.fchown(read, owner, owner)
    return write, read


async def _exchange(
    zygote: Zygote,
    control: socket.socket,
    message: bytes,
    timeout_s: float,
    door: Proxy | None,
    staging: Staging,
) -> tuple[Fields, bool]:
    """Send the request and wait until all of it has ended; what is broken or missing gives no fields."""
    control.setblocking(False)
    talk = asyncio.ensure_future(_talk(control, message, door, staging))
    try:
        async with asyncio.timeout(timeout_s + _GRACE_S):
            return await asyncio.shield(talk)
    except TimeoutError:
        raise SandboxError("the sandbox did not answer in time, the command was ended") from None
    finally:
        await surely(_hang_up(zygote, control, talk))


async def _talk(control: socket.socket, message: bytes, door: Proxy | None, staging: Staging) -> tuple[Fields, bool]:
    """Send the request, then take the empty message that says it starts, and the outcome."""
    loop = asyncio.get_running_loop()
    reply = bytearray()
    try:
        await loop.sock_sendall(control, message)
        while len(reply) < _MAX_REPLY:
            await _readable(control)
            data, descriptors, _, _ = socket.recv_fds(control, _PIECE, _MAX_DESCRIPTORS)
            for descriptor in staging.take(descriptors):
                await _let_in(descriptor, door)
            if not data:
                break
            reply += data
    except ConnectionError:
        pass
    started = reply.startswith(_STARTS)
    try:
        return wire.unpack(bytes(reply[2 * _FRAME if started else _FRAME :])), started
    except ValueError:
        return {}, started


async def _readable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    descriptor = control.fileno()  # by number: an object would be written out in words on the way
    loop.add_reader(descriptor, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def _let_in(descriptor: int, door: Proxy | None) -> None:
    listener = socket.socket(fileno=descriptor)
    listener.set_inheritable(False)
    if door is None:
        listener.close()
    else:
        await door.open(listener)


async def _hang_up(zygote: Zygote, control: socket.socket, talk: asyncio.Task[tuple[Fields, bool]]) -> None:
    """Have everything ended, and see that it did."""
    if talk.done():
        return
    with contextlib.suppress(OSError):
        control.shutdown(socket.SHUT_WR)
    done, _ = await asyncio.wait([talk], timeout=_GRACE_S)
    if not done:
        talk.cancel()
        await asyncio.wait([talk])
        await asyncio.to_thread(zygote.close)
