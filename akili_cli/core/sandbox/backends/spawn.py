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
from collections.abc import Mapping, Sequence
from pathlib import Path

from akili_cli.core.sandbox import wire, zygote
from akili_cli.domain.errors import SandboxError

# symbols are looked up once and for all, instead of in every fork
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LD_BIND_NOW": "1"}
_CHANNEL, _ALIVE = 3, 4
_GRACE_MS = 5000


class Zygote:
    """Hands commands to the zygote process; may be used from any thread."""

    def __init__(self, layers: Sequence[str], idle: int, base: Sequence[tuple[str, int]] = ()) -> None:
        """Keep what it prepares and how many children wait; nothing is started yet.

        ``layers`` names the steps to prepare; ``base`` holds paths with the Landlock rights every command has.
        """
        self._fields = {
            "layers": [name.encode() for name in layers],
            "idle": [b"%d" % idle],
            "base_paths": [os.fsencode(path) for path, _ in base],
            "base_rights": [b"%d" % rights for _, rights in base],
        }
        self._lock = threading.Lock()
        self._life: _Life | None = None

    def make_groups(self, room: Path, limits: Mapping[str, str]) -> None:
        """Give each command a control group with these limits; for zygotes that are started from now on."""
        self._fields |= {
            "group_room": [os.fsencode(room)],
            "group_files": [name.encode() for name in limits],
            "group_values": [value.encode() for value in limits.values()],
        }

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
                self._life = _Life(wire.pack(self._fields)[4:])
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
        self._alive, alive = os.pipe()
        high: list[int] = []
        try:
            with Path(os.devnull).open("r+b") as null:
                # out of the way of the numbers they shall get
                high += [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _ALIVE + 1) for each in (null, theirs, alive)]
            self.control.send(setup)
            self.process_id = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", str(Path(zygote.__file__).resolve()), str(_CHANNEL), str(_ALIVE)],
                _ENVIRONMENT,
                file_actions=[
                    *((os.POSIX_SPAWN_DUP2, high[0], stream) for stream in (0, 1, 2)),
                    (os.POSIX_SPAWN_DUP2, high[1], _CHANNEL),
                    (os.POSIX_SPAWN_DUP2, high[2], _ALIVE),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE),
            )
        except OSError as error:
            self.control.close()
            os.close(self._alive)
            raise SandboxError(f"the sandbox's zygote cannot be started: {error}") from error
        finally:
            theirs.close()
            for descriptor in (alive, *high):
                os.close(descriptor)
        self.end = weakref.finalize(self, _end, self.control, self._alive, self.process_id, os.getpid())

    def is_over(self) -> bool:
        """Tell whether the process is ending; known before any of its commands is seen to fail for that."""
        return _hangs_up(self._alive, 0)


def _hangs_up(descriptor: int, timeout_ms: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(timeout_ms))


def _end(control: socket.socket, alive: int, process: int, owner: int) -> None:
    control.close()  # the zygote leaves when this hangs up, and its children with it
    if os.getpid() == owner:  # a fork of akili only has copies
        with contextlib.suppress(ChildProcessError, ProcessLookupError):  # somebody else may have waited for it
            if not _hangs_up(alive, _GRACE_MS):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    os.close(alive)
