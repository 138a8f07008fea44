"""The process all commands descend from: small, single-threaded, without a secret.

Started once by path as ``python -I -S zygote.py FD ALIVE``, where FD is one end of a socket pair of messages, and
ALIVE the writing end of a pipe that nobody else holds: it hangs up when the zygote ends. The first message says
what to prepare and how many children wait at a time; each further one is a command and goes to whichever child
takes it. From then on the zygote watches that child. When akili hangs up, however it ended, the zygote leaves, and
everything it started goes with it.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time

sys.path.append(__file__.removesuffix("/akili_cli/core/sandbox/zygote.py"))  # -I -S leave only the stdlib

from akili_cli.core.sandbox import channel, child, kernel, landlock, namespaces, privileges, seccomp, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    Request = dict[str, list[bytes]]

_MAX_SETUP = 1 << 16
_REHEARSALS = 12
_MAX_EARLY_ENDS = 20  # children that end without taking a command: something is wrong with this machine


class Nursery:
    """The children, waiting and busy, and the one place that waits for any of them."""

    def __init__(self, shared: channel.Socket, setup: Request, failed: Request) -> None:
        """Start empty; ``failed`` names what could not be prepared, with the reason."""
        self._shared = shared
        self._setup = setup
        self._failed = failed
        self._poll = select.poll()
        self._poll.register(shared.fileno(), 0)  # nothing but its end
        self._owners: dict[int, child.Child] = {}
        self._polled: dict[child.Child, dict[int, int]] = {}
        self._early = 0

    def serve(self) -> None:
        """Keep children waiting and watch the busy ones until akili hangs up or children cannot be made."""
        idle = int(self._setup["idle"][0])
        while self._early < _MAX_EARLY_ENDS:
            for _ in range(idle - sum(one.is_waiting for one in self._polled)):
                self._follow(child.start(self._shared, self._setup, self._failed))
            for descriptor, _ in self._poll.poll(self._pause_ms()):
                if descriptor == self._shared.fileno():
                    return
                if descriptor in self._owners:  # else closed meanwhile
                    self._ready(self._owners[descriptor], descriptor)
            now = time.monotonic()
            for one in [each for each in self._polled if each.is_due(now)]:
                one.look()
                self._follow(one)

    def close(self) -> None:
        """Take the control groups away, with all that is in them."""
        for one in self._polled:
            one.abandon()

    def _ready(self, one: child.Child, descriptor: int) -> None:
        waited = one.is_waiting
        one.ready(descriptor)
        if waited and not one.is_waiting:
            self._early = self._early + 1 if one.is_ending else 0
        self._follow(one)

    def _follow(self, one: child.Child) -> None:
        """Poll exactly what a child wants polled now."""
        before, after = self._polled.get(one, {}), dict(one.interests())
        for gone in before.keys() - after:
            self._poll.unregister(gone)
            del self._owners[gone]
        for added in after.keys() - before:
            self._poll.register(added, after[added])
            self._owners[added] = one
        self._polled[one] = after
        if not after:
            del self._polled[one]
            one.close()

    def _pause_ms(self) -> float | None:
        moments = [one.next_look for one in self._polled if one.next_look is not None]
        return max(0.0, min(moments) - time.monotonic()) * 1000 + 1 if moments else None


def _enter(layers: list[bytes]) -> Request:
    """Move to a user namespace, and to a network with nothing in it, for all that will be forked.

    Gives what failed, with the reason. Commands share the network: none can open a socket there.
    """
    failed: Request = {}
    for name in ("user_namespace", "net_namespace"):
        if name.encode() not in layers:
            continue
        try:
            if name == "user_namespace":
                namespaces.own_user_namespace()
            else:
                kernel.unshare(namespaces.NEWNET)
        except OSError as error:
            failed[name] = [str(error).encode()]
    return failed


def _rehearse(setup: Request) -> None:
    """Do often what every child does: the interpreter rewrites code that ran some times, and forks share that."""
    message = wire.pack(setup)[wire.LENGTH :]
    for _ in range(_REHEARSALS):
        wire.unpack(message)
        privileges.holds(0)
        if setup["base_paths"] and b"landlock" in setup["layers"]:
            rules = zip(setup["base_paths"], setup["base_rights"], strict=True)
            os.close(landlock.fill(landlock.create(), [(path, int(rights), False) for path, rights in rules]))


def main() -> NoReturn:
    """Serve until akili goes away."""
    control, alive = map(int, sys.argv[1:])
    for descriptor in (control, alive):
        os.set_inheritable(descriptor, False)
    kernel.close_all_but((0, 1, 2, control, alive))
    os.chdir("/")
    os.umask(0o022)
    shared = channel.adopt(control)
    try:
        setup = wire.unpack(shared.recv(_MAX_SETUP))
        seccomp.prepare()
        _rehearse(setup)
        nursery = Nursery(shared, setup, _enter(setup["layers"]))
        gc.disable()
        gc.freeze()
        try:
            nursery.serve()
        finally:
            nursery.close()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
