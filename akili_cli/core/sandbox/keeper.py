"""The supervisor of one command: waits for it in namespaces made beforehand, watches it, leaves nothing running.

Forked from the zygote. It stays outside the PID namespace that the command lives in, so nothing inside can see,
signal or starve it, and it ends everything by killing the first process of that namespace, its own child.
"""

from __future__ import annotations

import os
import select
import time

from akili_cli.core.sandbox import channel, inside, kernel, namespaces, privileges, tree, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    Request = dict[str, list[bytes]]

_SIGKILL, _SIGCHLD = 9, 17
_FIRST_LOOK_S, _LOOK_S = 0.1, 0.05
_MAX_HEADER = 4096
_STREAMS = 4  # the conversation with akili, and the command's three standard streams
_LOST: Request = {"stopped": [b"lost"]}


def keep(shared: channel.Socket, waiting: int, zygote: int, layers: list[bytes]) -> NoReturn:
    """Prepare, take one command from ``shared``, see it through, report, exit.

    ``waiting`` is written to and closed when a command was taken. When the zygote goes away, so does this process
    with all it started.
    """
    kernel.default_signal(_SIGCHLD)
    origin = os.pidfd_open(zygote)
    failed: Request = {}
    _enter(layers, failed)
    isolated = b"pid_namespace" in layers and "pid_namespace" not in failed
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != zygote:
        os._exit(125)
    if not isolated:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    leash, far = channel.pair()
    outside = os.pidfd_open(os.getpid())
    child = os.fork()
    if child == 0:
        for descriptor in (origin, waiting, leash.detach(), shared.detach()):
            os.close(descriptor)
        inside.wait(far, outside, layers, failed)
    far.close()
    os.close(outside)
    _step_back()
    limits, control = _take(shared, waiting, leash)
    if not isolated:  # killed with the zygote, it could not hunt down what the command left
        kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)
    outcome = _watch(control, leash.fileno(), origin, child, limits)
    os.kill(child, _SIGKILL)  # not reaped yet, so the id is still its own; ends its whole PID namespace
    status = os.waitpid(child, 0)[1]
    if outcome == _LOST and os.WIFEXITED(status):  # nobody killed it: it broke, before the command started
        outcome = {"error": [b"the first process inside broke"]}
    left = 0 if isolated else tree.sweep()
    try:
        os.write(control, wire.pack(outcome | {"left": [str(left).encode()]}))
    finally:
        os._exit(0)


def _step_back() -> None:
    """Give up all but what watching and ending the command needs."""
    privileges.no_new_privileges()
    useful = (privileges.CAP_KILL, privileges.CAP_SYS_PTRACE, privileges.CAP_DAC_READ_SEARCH)
    privileges.set_capabilities(tuple(filter(privileges.holds, useful)), inheritable=False)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _take(shared: channel.Socket, waiting: int, leash: channel.Socket) -> tuple[Request, int]:
    """Wait for a command and pass its descriptors on; give its limits and the conversation with akili."""
    header, streams = channel.receive(shared, _MAX_HEADER, _STREAMS)
    if len(streams) != _STREAMS:  # akili went away: what waits inside follows
        os._exit(0)
    os.write(waiting, b"1")
    os.close(waiting)
    shared.close()
    channel.send(leash, b"\n", streams)
    for descriptor in streams[1:]:
        os.close(descriptor)
    return wire.unpack(header), streams[0]


def _enter(layers: list[bytes], failed: Request) -> None:
    """Create the namespaces that the inside process is born in."""
    for name, flags in (("user_namespace", namespaces.NEWUSER), ("pid_namespace", namespaces.NEWPID)):
        if name.encode() not in layers:
            continue
        try:
            if flags == namespaces.NEWUSER:
                own_proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
                namespaces.own_user_namespace(own_proc)
                os.close(own_proc)
            else:
                kernel.unshare(flags)
        except OSError as error:
            failed[name] = [str(error).encode()]


def _watch(control: int, leash: int, origin: int, child: int, limits: Request) -> Request:
    """Wait for the outcome, a limit, or the end of akili or of the zygote, whichever is first."""
    started = time.monotonic()
    deadline = started + int(limits["timeout_ms"][0]) / 1000
    memory = int(limits["memory_bytes"][0])
    look = started + _FIRST_LOOK_S
    poll = select.poll()
    poll.register(control, select.POLLRDHUP)
    poll.register(leash, select.POLLIN)
    poll.register(origin, select.POLLIN)
    while True:
        now = time.monotonic()
        if now >= deadline:
            return {"stopped": [b"timeout"]}
        if now >= look:
            if tree.memory_bytes(child, memory) > memory:
                return {"stopped": [b"memory"]}
            look = time.monotonic() + _LOOK_S
        ready = {descriptor for descriptor, _ in poll.poll(max(0, min(deadline, look) - now) * 1000 + 1)}
        if control in ready or origin in ready:
            return {"stopped": [b"hangup"]}
        if leash in ready:
            try:
                return wire.read(leash)
            except (ValueError, OSError):
                return _LOST
