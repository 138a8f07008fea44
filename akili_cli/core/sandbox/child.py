"""One child of the zygote: forked beforehand, given one command, watched, ended, reaped.

With a PID namespace the child is its first process, and killing it ends everything the command started. Without
one it becomes a hunter: it adopts what the command's processes leave behind and ends them one by one. With a control
group of its own, everything in that ends at once, in both cases.
"""

from __future__ import annotations

import os
import select
import time

from akili_cli.core.sandbox import cgroup, channel, disk, inside, kernel, namespaces, tree, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    Request = dict[str, list[bytes]]

_SIGKILL = 9
_FIRST_LOOK_S, _LOOK_S = 0.1, 0.05
_MAX_MESSAGE = 1 << 16
_LOST: Request = {"stopped": [b"lost"]}


class Child:
    """What the zygote knows of one child, and what it does about it."""

    def __init__(self, process: int, leash: channel.Socket, group: cgroup.Group | None, *, isolated: bool) -> None:
        """Begin as waiting for a command."""
        self._process = process
        self._pidfd = os.pidfd_open(process)
        self._leash = leash
        self._group = group
        self._isolated = isolated
        self._control: channel.Socket | None = None
        self._outcome: Request | None = None
        self._left = b"0"
        self._deadline = 0.0
        self._memory = 0
        self._cpu_s = 0.0
        self._disk: disk.Disk | None = None
        self.next_look: float | None = None
        self.is_waiting = True
        self.is_ending = False
        self._is_over = False

    def interests(self) -> Iterator[tuple[int, int]]:
        """Give the descriptors to poll, each with the events."""
        if self._is_over:
            return
        yield self._pidfd, select.POLLIN
        if not self.is_ending:
            yield self._leash.fileno(), select.POLLIN
        if self._control is not None and not self.is_ending:
            yield self._control.fileno(), select.POLLRDHUP

    def ready(self, descriptor: int) -> None:
        """Take note of what a descriptor has."""
        if descriptor == self._pidfd:
            self._reap()
        elif descriptor != self._leash.fileno():
            self._stop({"stopped": [b"hangup"]})
        elif self.is_waiting:
            self._begin()
        else:
            self._hear()

    def is_due(self, now: float) -> bool:
        """Tell whether it is time for a look."""
        return self.next_look is not None and now >= self.next_look

    def look(self) -> None:
        """Compare what the command uses with its limits."""
        if time.monotonic() >= self._deadline:
            self._stop({"stopped": [b"timeout"]})
        elif limit := self._exceeded():
            self._stop({"stopped": [limit]})
        else:
            self.next_look = min(time.monotonic() + _LOOK_S, self._deadline)

    def _exceeded(self) -> bytes:
        if tree.memory_bytes(self._process, self._memory) > self._memory:
            return b"memory"
        if tree.cpu_s(self._process) > self._cpu_s:
            return b"cpu"
        if self._disk is not None and self._disk.is_exceeded(self._process):
            return b"disk"
        return b""

    def close(self) -> None:
        """Let go of a child that is over."""
        self._leash.close()
        os.close(self._pidfd)

    def abandon(self) -> None:
        """End it together with its control group, if it has one; else it ends when the zygote has gone."""
        if self._group is not None:
            self._group.kill()
            self._group.left()
            self._group.remove()

    def _begin(self) -> None:
        """Learn which limits hold and where to report; nothing means that the child ended."""
        header, descriptors = channel.receive(self._leash, _MAX_MESSAGE, 1)
        self.is_waiting = False
        if not descriptors:
            self._stop(_LOST)
            return
        self._control = channel.adopt(descriptors[0])
        limits = wire.unpack(header)
        now = time.monotonic()
        self._deadline = now + int(limits["timeout_ms"][0]) / 1000
        self._memory = int(limits["memory_bytes"][0])
        self._cpu_s = float(limits["cpu_s"][0])
        self._disk = disk.Disk(limits["writable"], int(limits["disk_bytes"][0]), time.time())
        self.next_look = min(now + _FIRST_LOOK_S, self._deadline)

    def _hear(self) -> None:
        """Take the outcome; without one the child was killed or broke."""
        try:
            outcome = wire.unpack(channel.receive(self._leash, _MAX_MESSAGE, 1)[0][wire.LENGTH :])
        except (OSError, ValueError):
            outcome = {}
        if outcome.pop("alone", None) is not None:  # nothing is left: akili need not wait for what remains to be done
            self._report(outcome)
        self._stop(outcome or _LOST)

    def _stop(self, outcome: Request) -> None:
        self._outcome = outcome
        self.next_look = None
        self.is_ending = True
        if self._group is not None:
            self._group.kill()
        if self._isolated:
            os.kill(self._process, _SIGKILL)  # not reaped yet, so the id is still its own
        elif self._group is None:
            self._leash.shutdown(1)

    def _reap(self) -> None:
        """Wait for the child, which has ended, and with it its PID namespace; report what came of it."""
        if self.is_waiting:
            self._begin()
        if self._outcome is None:
            self._hear()
        outcome = self._outcome or _LOST
        if not self._isolated and self._group is None:
            self._left = self._hunted()
        status = os.waitpid(self._process, 0)[1]
        if self._group is not None:
            outcome = self._grouped(self._group, outcome)
        if outcome == _LOST and os.WIFEXITED(status):  # nobody killed it: it broke, before the command started
            outcome = {"error": [b"the first process inside broke"]}
        self._report(outcome)
        self.is_waiting, self.is_ending, self._is_over, self.next_look = False, True, True, None

    def _grouped(self, group: cgroup.Group, outcome: Request) -> Request:
        """See the control group to its end; the kernel ends all of it when it is out of memory."""
        self._left = b"%d" % group.left()
        is_killed = outcome == _LOST or outcome.get("exit") == [b"-9"]
        if is_killed and group.is_out_of_memory():
            outcome = {"stopped": [b"memory"]}
        group.remove()
        return outcome

    def _hunted(self) -> bytes:
        while data := channel.receive(self._leash, _MAX_MESSAGE, 1)[0]:
            found = wire.unpack(data[wire.LENGTH :])
            if "left" in found:
                return found["left"][0]
        return b"1"

    def _report(self, outcome: Request) -> None:
        if self._control is None:
            return
        control, self._control = self._control, None
        try:
            control.send(wire.pack(outcome | {"left": [self._left]}))
        except OSError:  # akili went away
            return
        finally:
            control.close()


def start(shared: channel.Socket, setup: Request, failed: Request) -> Child:
    """Fork a child that waits for a command on ``shared``. Raises ``OSError`` when not even a fork works."""
    zygote = os.pidfd_open(os.getpid())
    leash, far = channel.messages()
    group = _group(setup, failed)
    isolated = b"pid_namespace" in setup["layers"] and "pid_namespace" not in failed
    if isolated:
        try:
            process = kernel.fork(namespaces.NEWPID)
        except OSError as error:
            failed["pid_namespace"] = [str(error).encode()]
            isolated = False
    if not isolated:
        process = kernel.fork()
    if process == 0:
        try:
            doors = () if group is None else (group.door,)
            kernel.close_all_but((0, 1, 2, shared.fileno(), far.fileno(), zygote, *doors))
            _live(shared, far, zygote, group, setup, dict(failed), isolated=isolated)
        finally:
            os._exit(125)
    far.close()
    os.close(zygote)
    if group is not None:
        group.close()
    return Child(process, leash, group, isolated=isolated)


_made = [0]


def _group(setup: Request, failed: Request) -> cgroup.Group | None:
    """Make the control group of the next child, where there is room for them."""
    if "group_room" not in setup or "cgroup" in failed:
        return None
    names, values = ([each.decode() for each in setup[field]] for field in ("group_files", "group_values"))
    _made[0] += 1
    try:
        room = os.fsdecode(setup["group_room"][0])
        return cgroup.Group(f"{room}/{os.getpid()}-{_made[0]}", dict(zip(names, values, strict=True)))
    except OSError as error:
        failed["cgroup"] = [str(error).encode()]
        return None


def _live(
    shared: channel.Socket,
    leash: channel.Socket,
    zygote: int,
    group: cgroup.Group | None,
    setup: Request,
    failed: Request,
    *,
    isolated: bool,
) -> NoReturn:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)
    if inside.is_over(zygote):
        os._exit(125)
    if group is not None:
        try:
            group.enter()
        except OSError as error:
            failed["cgroup"] = [str(error).encode()]
        group.close()
    if not isolated:
        _hunt(shared, leash, zygote)
    inside.wait(shared, leash, zygote, setup, failed)


def _hunt(shared: channel.Socket, leash: channel.Socket, zygote: int) -> None:
    """Return in a fork; the original ends it and everything it left when told to, or when the zygote has gone."""
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)  # killed with the zygote, it could not hunt
    quarry = os.fork()
    if quarry == 0:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)
        return
    shared.close()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    handle = os.pidfd_open(quarry)
    poll = select.poll()
    poll.register(leash.fileno(), select.POLLRDHUP)
    for descriptor in (zygote, handle):
        poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.kill(quarry, _SIGKILL)  # not reaped yet, so the id is still its own
    os.waitpid(quarry, 0)
    left = tree.sweep()
    try:
        leash.send(wire.pack({"left": [b"%d" % left]}))
    finally:
        os._exit(0)
