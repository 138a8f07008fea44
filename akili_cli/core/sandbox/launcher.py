"""The supervisor of one command: sets the stage, watches time and memory, leaves nothing running.

Started by path as ``python -I -S launcher.py FD``, where FD is one end of a socket pair: the request comes in
on it, the outcome goes out on it, and when it hangs up (akili ended, however) everything is ended. The command
never sees it. Only the standard library's small modules are loaded: this is paid for every command.
"""

from __future__ import annotations

import os
import select
import sys
import time

sys.path.append(__file__.removesuffix("/akili_cli/core/sandbox/launcher.py"))  # -I -S leave only the stdlib

from akili_cli.core.sandbox import inside, kernel, namespaces, privileges, tree, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    Request = dict[str, list[bytes]]

_SIGKILL = 9
_FIRST_LOOK_S, _LOOK_S = 0.1, 0.05
_LOST: Request = {"stopped": [b"lost"]}


def _enter(request: Request, failed: Request) -> None:
    """Create the namespaces that the inside process is born in."""
    wanted = request["layers"]
    for name, flags in (("user_namespace", namespaces.NEWUSER), ("pid_namespace", namespaces.NEWPID)):
        if name.encode() not in wanted:
            continue
        try:
            if flags == namespaces.NEWUSER:
                namespaces.own_user_namespace(os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY))
            else:
                kernel.unshare(flags)
        except OSError as error:
            failed[name] = [str(error).encode()]


def _watch(control: int, report: int, child: int, request: Request) -> Request:
    """Wait for the outcome, the time limit, the memory limit or akili's end, whichever is first."""
    started = time.monotonic()
    deadline = started + int(request["timeout_ms"][0]) / 1000
    limit = int(request["memory_bytes"][0])
    look = started + _FIRST_LOOK_S
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(report, select.POLLIN)
    while True:
        now = time.monotonic()
        if now >= deadline:
            return {"stopped": [b"timeout"]}
        if now >= look:
            if tree.memory_bytes(child, limit) > limit:
                return {"stopped": [b"memory"]}
            look = time.monotonic() + _LOOK_S
        ready = {descriptor for descriptor, _ in poll.poll(max(0, min(deadline, look) - now) * 1000 + 1)}
        if control in ready:
            return {"stopped": [b"hangup"]}
        if report in ready:
            try:
                return wire.read(report)
            except ValueError:
                return _LOST


def _supervise(control: int, request: Request) -> Request:
    failed: Request = {}
    probing = "probe" in request
    os.umask(0o022)
    _enter(request, failed)
    if failed and not probing:
        return {"error": [b"; ".join(b"%s: %s" % (name.encode(), text[0]) for name, text in failed.items())]}
    isolated = b"pid_namespace" in request["layers"] and "pid_namespace" not in failed
    if not isolated:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    outside = os.pidfd_open(os.getpid())
    report, inner = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(control)
        inside.run(request, inner, outside)
    for descriptor in (inner, outside, 0, 1, 2):
        os.close(descriptor)
    privileges.no_new_privileges()
    useful = (privileges.CAP_KILL, privileges.CAP_SYS_PTRACE) if b"nobody" in request["layers"] else ()
    privileges.set_capabilities(tuple(filter(privileges.holds, useful)), inheritable=False)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    outcome = _watch(control, report, child, request)
    os.kill(child, _SIGKILL)  # not reaped yet, so the id is still its own; ends its whole PID namespace
    status = os.waitpid(child, 0)[1]
    if outcome == _LOST and os.WIFEXITED(status):  # nobody killed it: it broke, before the command started
        outcome = {"error": [b"the launcher broke"]}
    left = 0 if isolated else tree.sweep()
    return outcome | failed | {"left": [str(left).encode()]}


def main() -> None:
    """Serve one request."""
    control = int(sys.argv[1])
    os.set_inheritable(control, False)
    request = wire.read(control)
    outcome = _supervise(control, request)
    try:
        os.write(control, wire.pack(outcome))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
