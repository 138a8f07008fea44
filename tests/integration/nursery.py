"""A process that has imported akili once; every command is a fork of it.

A command is then a real process with descriptors, environment, directory, signals and an end of its own, and costs a
fiftieth of one that imports everything anew. What Python itself reads at its start (``PYTHON*``, the locale) is the
nursery's: commands that differ in it need a fresh interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

ROOT = Path(__file__).parents[2]
SLOW = ("litellm", "dbos")  # what few commands use is left to them
THIRD = ("psycopg", "rich.console", "rich.markdown", "h11", "httpcore", "anyio._backends._asyncio")
_LENGTH = 8


class Nursery:
    """The door to it; one command at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._door, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.nursery", str(theirs.fileno())],
                cwd=ROOT,
                env=dict(environment),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        atexit.register(self.close)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, stdin: bytes | None, limit_s: float
    ) -> tuple[int, bytes, bytes]:
        """Start a command, feed it, wait for its end; give exit code, output and errors.

        After ``limit_s`` the command is killed and that is a ``TimeoutError``.
        """
        wanted = json.dumps([list(arguments), dict(environment), str(cwd)]).encode()
        with contextlib.ExitStack() as kept:
            ends: list[BinaryIO] = []
            theirs = []
            for number in range(3):
                read, write = os.pipe()
                mine, other = (write, read) if number == 0 else (read, write)
                ends.append(kept.enter_context(open(mine, "wb" if number == 0 else "rb", buffering=0)))
                theirs.append(other)
            if stdin is None:
                os.close(theirs[0])
                theirs[0] = os.open(os.devnull, os.O_RDONLY)
            socket.send_fds(self._door, [len(wanted).to_bytes(_LENGTH, "big")], theirs)
            for descriptor in theirs:
                os.close(descriptor)
            self._door.sendall(wanted)
            child = int.from_bytes(_exactly(self._door, _LENGTH), "big")
            try:
                out, err = _exchanged(ends, stdin or b"", time.monotonic() + limit_s)
            except TimeoutError:
                os.kill(child, signal.SIGKILL)
                raise
            finally:
                code = int.from_bytes(_exactly(self._door, _LENGTH), "big", signed=True)
        return code, out, err

    def close(self) -> None:
        """End the nursery: it ends when its door does."""
        self._door.close()
        self._process.communicate()


def _exactly(door: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = door.recv(size - len(data))
        if not piece:
            raise EOFError("the nursery has ended")
        data += piece
    return data


def _exchanged(ends: Sequence[BinaryIO], data: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Write ``data`` to the first and read the other two until both end."""
    feed, *sources = ends
    texts = dict.fromkeys(sources, b"")
    with selectors.DefaultSelector() as waiting:
        for source in sources:
            waiting.register(source, selectors.EVENT_READ)
        os.set_blocking(feed.fileno(), False)
        waiting.register(feed, selectors.EVENT_WRITE)
        while waiting.get_map():
            left = deadline - time.monotonic()
            ready = waiting.select(left) if left > 0 else []
            if not ready:
                raise TimeoutError(f"no end after its time: {texts}")
            for key, _ in ready:
                if key.fileobj is feed:
                    with contextlib.suppress(BrokenPipeError, BlockingIOError):
                        data = data[feed.write(data) or 0 :] if data else b""
                        if data:
                            continue
                    waiting.unregister(feed)
                    feed.close()
                elif piece := os.read(key.fd, 1 << 16):
                    texts[key.fileobj] += piece  # type: ignore[index]
                else:
                    waiting.unregister(key.fileobj)
    return texts[sources[0]], texts[sources[1]]


def _import_all() -> None:
    import akili_cli

    for module in pkgutil.walk_packages(akili_cli.__path__, "akili_cli."):
        if not any(name in module.name for name in (*SLOW, "__main__", "_shipped")):
            with contextlib.suppress(Exception):  # whoever needs it will say what is wrong with it
                importlib.import_module(module.name)
    for name in THIRD:
        importlib.import_module(name)


def _become(arguments: list[str], environment: dict[str, str], cwd: str, streams: list[int]) -> NoReturn:
    """Be the command, in the child of a fork, until its end."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(cwd)
    sys.argv[1:] = arguments
    from akili_cli.__main__ import main

    code = 1
    try:
        code = main()
        threading._shutdown()  # type: ignore[attr-defined]  # as at the end of every interpreter
        atexit._run_exitfuncs()
        gc.collect()  # says what was not closed
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # taking apart all that was imported would take longer than most commands


def _serve(door: socket.socket) -> None:
    while True:
        head, streams, _, _ = socket.recv_fds(door, _LENGTH, 3)
        if not head:
            return
        arguments, environment, cwd = json.loads(_exactly(door, int.from_bytes(head, "big")))
        child = os.fork()
        if not child:
            door.close()
            _become(arguments, environment, cwd, streams)
        for descriptor in streams:
            os.close(descriptor)
        door.sendall(child.to_bytes(_LENGTH, "big"))
        _, status = os.waitpid(child, 0)
        door.sendall(os.waitstatus_to_exitcode(status).to_bytes(_LENGTH, "big", signed=True))


if __name__ == "__main__":
    _import_all()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as near:
        _serve(near)
