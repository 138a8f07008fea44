"""The first process inside: puts on every layer, starts the command, reports how it ended, and leaves.

In a PID namespace it is process 1, so the kernel ends everything else the moment it leaves.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import stat

from akili_cli.core.sandbox import channel, kernel, landlock, namespaces, privileges, seccomp, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    Request = dict[str, list[bytes]]

_IGNORED_BY_PYTHON = (13, 25)  # SIGPIPE and SIGXFSZ: commands expect the defaults
_SIGINT, _SIGKILL = 2, 9
_NOT_FOUND, _NOT_RUNNABLE = 127, 126


class LayerError(Exception):
    """A step failed; the text names it."""


def wait(leash: channel.Socket, outside: int, layers: list[bytes], failed: Request) -> NoReturn:
    """Prepare what no permit changes, wait for a command, and run it.

    ``outside`` is a pidfd of the keeper; ``failed`` names the preparations that did not work, with the reason.
    """
    if b"ipc_namespace" in layers:
        try:
            kernel.unshare(namespaces.NEWIPC | namespaces.NEWUTS)
        except OSError as error:
            failed["ipc_namespace"] = [str(error).encode()]
    _, streams = channel.receive(leash, 1, 4)
    if len(streams) != 4:
        os._exit(0)
    for standard, descriptor in enumerate(streams[1:]):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    try:
        request = wire.read(streams[0])
    except (ValueError, OSError):  # akili went away
        os._exit(0)
    os.close(streams[0])
    run(request, leash.fileno(), outside, failed)


def run(request: Request, report: int, outside: int, failed: Request) -> NoReturn:
    """Confine this process, run the command, write the outcome to ``report`` and exit.

    If the keeper has gone, nothing starts. With the field ``probe`` every step is tried, failures are collected,
    and nothing is started.
    """
    probing = "probe" in request
    try:
        if not probing:
            _refuse_missing(request, failed)
        for name, step in _steps(request):
            try:
                step()
            except (OSError, ValueError) as error:
                if not probing:
                    raise LayerError(f"{name}: {error}") from error
                failed[name] = [str(error).encode()]
        poll = select.poll()
        poll.register(outside, select.POLLIN)
        if poll.poll(0):
            os._exit(125)
        if probing:
            _finish(report, failed | {"probe": []})
        code = _command(request)
        _finish(report, {"exit": [str(code).encode()]})
    except LayerError as error:
        _finish(report, {"error": [str(error).encode()]}, 125)


def _refuse_missing(request: Request, failed: Request) -> None:
    for name, reason in failed.items():
        if name.encode() in request["layers"]:
            raise LayerError(f"{name}: {os.fsdecode(reason[0])}")


def _finish(report: int, outcome: Request, code: int = 0) -> NoReturn:
    try:
        os.write(report, wire.pack(outcome))
    finally:
        os._exit(code)


def _steps(request: Request) -> list[tuple[str, Callable[[], None]]]:
    """List the layers in the only order that works: mounts, files to refer to, identity, filters."""
    wanted = request["layers"]
    rulesets: list[int] = []
    apart: list[bool] = []
    kept = (privileges.CAP_DAC_READ_SEARCH,) if b"read_search" in wanted else ()

    def landlock_rules() -> None:
        flags = request["rule_flags"]
        rules = [
            (path, int(rights), plain == b"plain")
            for path, rights, plain in zip(request["rule_paths"], request["rule_rights"], flags, strict=True)
        ]
        ports = None if b"any_port" in wanted else [int(port) for port in request["ports"]]
        rulesets.append(landlock.build(rules, ports=ports))

    def identity() -> None:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)  # here: a change of uid would clear it
        privileges.no_new_privileges()
        privileges.set_capabilities(kept, inheritable=True)

    def private_proc() -> None:
        if not apart:
            raise OSError(errno.EPERM, "without mounts of its own it would be mounted over the machine's /proc")
        namespaces.private_proc()

    def mounts() -> None:
        namespaces.private_mounts(request["writable"], request["covered"])
        apart.append(True)

    own_proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)

    def read_search() -> None:
        if not privileges.holds(privileges.CAP_DAC_READ_SEARCH):
            raise OSError(errno.EPERM, "akili does not hold CAP_DAC_READ_SEARCH")

    steps: list[tuple[str, Callable[[], None]]] = [
        ("limits", _first_to_go),
        ("read_search", read_search),
        ("mount_namespace", mounts),
        ("proc", private_proc),
        ("net_namespace", lambda: kernel.unshare(namespaces.NEWNET)),
        ("landlock", landlock_rules),
        ("cwd", lambda: os.chdir(request["cwd"][0])),
        ("nobody", privileges.become_nobody),
        ("process_count", lambda: namespaces.own_user_namespace(own_proc)),
        ("identity", identity),
        ("landlock", lambda: landlock.restrict(rulesets[0]) if rulesets else None),
        ("limits", lambda: _limit(request)),
        ("seccomp", lambda: seccomp.install([int(family) for family in request["families"]])),
        ("limits", lambda: kernel.prctl(kernel.PR_SET_DUMPABLE, 0)),
    ]
    always = ("cwd", "identity", "limits")
    return [(name, step) for name, step in steps if name in always or name.encode() in wanted]


def _first_to_go() -> None:
    """Let the kernel pick this tree first when memory runs out; also take SIGINT from inside calmly."""
    kernel.default_signal(_SIGINT)
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(descriptor, b"1000")
    os.close(descriptor)


def _limit(request: Request) -> None:
    for name, value in zip(request["limit_names"], request["limit_values"], strict=True):
        kind = getattr(resource, name.decode())
        hard = resource.getrlimit(kind)[1]
        number = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (number, number))


def _command(request: Request) -> int:
    """Start the command, wait for it, reap strays meanwhile; give its exit code or minus its signal."""
    environment = dict(entry.split(b"=", 1) for entry in request["env"])
    argv = request["argv"]
    try:
        child = os.posix_spawn(
            _program(argv[0], environment.get(b"PATH", b"")),
            argv,
            environment,
            setsid=True,
            setsigdef=_IGNORED_BY_PYTHON,
            setsigmask=(),
        )
    except OSError as error:
        os.write(2, b"%s: %s\n" % (argv[0], os.strerror(error.errno or 0).encode()))
        return _NOT_FOUND if error.errno == errno.ENOENT else _NOT_RUNNABLE
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    while True:
        process, status = os.wait()
        if process == child:
            return os.waitstatus_to_exitcode(status)


def _program(name: bytes, path: bytes) -> bytes:
    if b"/" in name:
        return name
    for directory in path.split(b":"):
        candidate = directory + b"/" + name
        if directory and os.access(candidate, os.X_OK) and not stat.S_ISDIR(os.lstat(candidate).st_mode):
            return candidate
    return b"/nonexistent/" + name
