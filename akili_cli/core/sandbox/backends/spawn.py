"""Akili's end of the zygote: started when first needed, started again when it died, ended with akili."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from akili_cli.core.sandbox import wire, zygote
from akili_cli.domain.errors import SandboxError

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_CHANNEL = 3
_GRACE_MS = 5000


class Zygote:
    """Hands commands to the zygote process; may be used from any thread."""

    def __init__(self, layers: Sequence[str], idle: int) -> None:
        """Keep which layers it prepares and how many keepers wait; nothing is started yet."""
        self._setup = wire.pack({"layers": [name.encode() for name in layers], "idle": [b"%d" % idle]})[4:]
        self._lock = threading.Lock()
        self._life: _Life | None = None

    def hand(self, header: bytes, descriptors: Sequence[int]) -> None:
        """Pass on one command; starts the zygote unless it runs. Never blocks for longer than a start.

        Raises ``BlockingIOError`` when too many commands are on their way, ``SandboxError`` when the zygote cannot
        be started.
        """
        with self._lock:
            if self._life is not None and self._life.is_over():
                self._life.end()
                self._life = None
            if self._life is None:
                self._life = _Life(self._setup)
            try:
                socket.send_fds(self._life.control, [header], descriptors)
            except BlockingIOError:
                raise
            except OSError as error:
                raise SandboxError(f"the sandbox's zygote takes no commands: {error.strerror}") from error

    @property
    def process_id(self) -> int | None:
        """The process id, while it runs."""
        return None if self._life is None else self._life.process_id

    def close(self) -> None:
        """End it, and with it every command; waits until it is gone. The next command starts a new one."""
        with self._lock:
            if self._life is not None:
                self._life.end()
                self._life = None


class _Life:
    """One zygote process, from start to end."""

    def __init__(self, setup: bytes) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        null = high = -1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            high = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, _CHANNEL + 1)  # out of the way of the streams
            self.control.send(setup)
            self.process_id = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", str(Path(zygote.__file__).resolve()), str(_CHANNEL)],
                _ENVIRONMENT,
                file_actions=[
                    *((os.POSIX_SPAWN_DUP2, null, stream) for stream in (0, 1, 2)),
                    (os.POSIX_SPAWN_DUP2, high, _CHANNEL),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE),
            )
        except OSError as error:
            self.control.close()
            raise SandboxError(f"the sandbox's zygote cannot be started: {error}") from error
        finally:
            theirs.close()
            for descriptor in (null, high):
                if descriptor >= 0:
                    os.close(descriptor)
        self._pidfd = os.pidfd_open(self.process_id)
        self.end = weakref.finalize(self, _end, self.control, self.process_id, self._pidfd, os.getpid())

    def is_over(self) -> bool:
        """Tell whether the process has ended."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(0))


def _end(control: socket.socket, process: int, pidfd: int, owner: int) -> None:
    control.close()  # the zygote leaves when this hangs up, and the keepers with it
    if os.getpid() == owner:  # a fork of akili only has copies
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(_GRACE_MS):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # somebody else may have waited for it
            os.waitpid(process, 0)
    os.close(pidfd)
