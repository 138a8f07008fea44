"""The process all commands descend from: small, single-threaded, without a secret; it forks keepers and nothing else.

Started once by path as ``python -I -S zygote.py FD``, where FD is one end of a socket pair of messages. The first
message says which layers to prepare and how many keepers wait at a time; each further one is a command and goes
to whichever keeper takes it. When akili hangs up, however it ended, the zygote leaves, and what waits leaves too.
"""

from __future__ import annotations

import gc
import os
import select
import sys

sys.path.append(__file__.removesuffix("/akili_cli/core/sandbox/zygote.py"))  # -I -S leave only the stdlib

from akili_cli.core.sandbox import channel, keeper, kernel, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_SIGCHLD = 17
_MAX_SETUP = 1 << 16
_MAX_EARLY_ENDS = 20  # keepers that end without taking a command: something is wrong with this machine


def _start(shared: channel.Socket, layers: list[bytes], poll: select.poll) -> int:
    """Fork one keeper; give the descriptor that hangs up when it no longer waits."""
    zygote = os.getpid()
    waits, waiting = os.pipe()
    if os.fork() == 0:
        try:
            os.close(waits)
            keeper.keep(shared, waiting, zygote, layers)
        finally:
            os._exit(125)
    os.close(waiting)
    poll.register(waits, select.POLLIN)
    return waits


def _serve(shared: channel.Socket, layers: list[bytes], idle: int) -> None:
    """Keep ``idle`` keepers waiting until akili hangs up or keepers cannot be made."""
    poll = select.poll()
    poll.register(shared.fileno(), 0)  # nothing but its end
    waiting: set[int] = set()
    early = 0
    while early < _MAX_EARLY_ENDS:
        while len(waiting) < idle:
            waiting.add(_start(shared, layers, poll))
        for descriptor, _ in poll.poll():
            if descriptor == shared.fileno():
                return
            early = 0 if os.read(descriptor, 1) else early + 1
            poll.unregister(descriptor)
            os.close(descriptor)
            waiting.discard(descriptor)


def main() -> NoReturn:
    """Serve until akili goes away."""
    control = int(sys.argv[1])
    os.set_inheritable(control, False)
    os.closerange(3, control)
    os.closerange(control + 1, 1 << 20)
    os.chdir("/")
    os.umask(0o022)
    kernel.ignore_signal(_SIGCHLD)  # the kernel reaps keepers
    shared = channel.adopt(control)
    try:
        setup = wire.unpack(shared.recv(_MAX_SETUP))
        gc.disable()
        gc.freeze()
        _serve(shared, setup["layers"], int(setup["idle"][0]))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
