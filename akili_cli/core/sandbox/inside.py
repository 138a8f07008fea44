"""The first process inside: puts on every layer, starts the command, reports how it ended, and leaves.

In a PID namespace it is process 1, so the kernel ends everything else the moment it leaves.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import stat

from akili_cli.core.sandbox import (
    channel,
    kernel,
    landlock,
    mounts,
    namespaces,
    ownership,
    privileges,
    seccomp,
    staging,
    wire,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    Request = dict[str, list[bytes]]

_IGNORED_BY_PYTHON = (13, 25)  # SIGPIPE and SIGXFSZ: commands expect the defaults
_SIGINT, _SIGKILL = 2, 9
_MAX_HEADER = 1 << 16
_PROXY_PORT = 3128
_NOT_FOUND, _NOT_RUNNABLE = 127, 126


class LayerError(Exception):
    """A step failed; the text names it."""


def wait(shared: channel.Socket, leash: channel.Socket, zygote: int, setup: Request, failed: Request) -> NoReturn:
    """Prepare what no permit changes, take one command from ``shared``, and run it.

    ``zygote`` is a pidfd; ``failed`` names the preparations that did not work, with the reason.
    """
    kernel.default_signal(_SIGINT)
    base = _prepare(setup, failed)
    header, streams = channel.receive(shared, _MAX_HEADER, 4)
    if len(streams) != 4:  # akili went away
        os._exit(0)
    channel.send(leash, header, streams[:1])
    shared.close()
    for standard, descriptor in enumerate(streams[1:]):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    try:
        request = wire.read(streams[0])
    except (ValueError, OSError):  # akili went away
        os._exit(0)
    run(request, leash.fileno(), streams[0], zygote, failed, base)


def run(request: Request, report: int, control: int, zygote: int, failed: Request, base: int | None) -> NoReturn:
    """Confine this process, run the command, write the outcome to ``report`` and exit.

    Right before anything of the command runs, an empty message goes to akili over ``control``, and with it, where
    the command has them, descriptors: of staged directories and copies in them, and the socket that its proxy shall
    listen on.

    If the zygote has gone, nothing starts. With the field ``probe`` every step is tried, failures are collected,
    and nothing is started.
    """
    probing = "probe" in request
    try:
        if not probing:
            _refuse_missing(request, failed)
        passed: list[int] = []
        for name, step in _steps(request, base, passed):
            try:
                step()
            except (OSError, ValueError) as error:
                if not probing:
                    raise LayerError(f"{name}: {error}") from error
                failed[name] = [str(error).encode()]
        if probing:
            _finish(report, failed | {"probe": []})
        if is_over(zygote):
            os._exit(125)
        talk = channel.adopt(control)
        channel.send(talk, bytes(wire.LENGTH), passed)
        talk.close()
        for descriptor in passed:
            os.close(descriptor)
        code = _command(request)
        _finish(report, {"exit": [str(code).encode()]} | ({"alone": []} if _is_alone() else {}))
    except LayerError as error:
        _finish(report, {"error": [str(error).encode()]}, 125)


def is_over(process: int) -> bool:
    """Tell whether the process behind a pidfd has ended."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))


def _prepare(setup: Request, failed: Request) -> int | None:
    """Do what takes time and depends on no permit; give a Landlock ruleset of what every command may read."""
    layers = setup["layers"]
    try:
        _first_to_go()
    except OSError as error:
        failed["limits"] = [str(error).encode()]
    if b"ipc_namespace" in layers:
        try:
            kernel.unshare(namespaces.NEWIPC | namespaces.NEWUTS)
        except OSError as error:
            failed["ipc_namespace"] = [str(error).encode()]
    if b"landlock" not in layers:
        return None
    try:
        rules = zip(setup["base_paths"], setup["base_rights"], strict=True)
        return landlock.fill(landlock.create(), [(path, int(rights), False) for path, rights in rules])
    except OSError as error:
        failed["landlock"] = [str(error).encode()]
        return None


def _is_alone() -> bool:
    """Tell whether every other process of the namespace has ended; its first one inherits all of them."""
    if os.getpid() != 1:
        return False
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return True
    return False


def _refuse_missing(request: Request, failed: Request) -> None:
    for name, reason in failed.items():
        if name.encode() in request["layers"]:
            raise LayerError(f"{name}: {os.fsdecode(reason[0])}")


def _finish(report: int, outcome: Request, code: int = 0) -> NoReturn:
    try:
        os.write(report, wire.pack(outcome))
    finally:
        os._exit(code)


def _steps(
    request: Request, base: int | None = None, passed: list[int] | None = None
) -> list[tuple[str, Callable[[], object]]]:
    """List the layers in the only order that works: mounts, files to refer to, identity, filters."""
    wanted = request["layers"]
    rulesets: list[int] = []
    apart: list[bool] = []
    outgoing = [] if passed is None else passed
    kept = (privileges.CAP_DAC_READ_SEARCH,) if b"read_search" in wanted else ()

    def landlock_rules() -> None:
        flags = request["rule_flags"]
        rules = [
            (path, int(rights), plain == b"plain")
            for path, rights, plain in zip(request["rule_paths"], request["rule_rights"], flags, strict=True)
        ]
        ports = [int(port) for port in request["ports"]]
        ruleset = base if base is not None and "base" in request else landlock.create()
        rulesets.append(landlock.fill(ruleset, rules, ports=ports))

    def identity() -> None:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, _SIGKILL)  # here: a change of uid would clear it
        privileges.no_new_privileges()
        privileges.set_capabilities(kept, inheritable=True)

    def private_proc() -> None:
        if not apart:
            raise OSError(errno.EPERM, "without mounts of its own it would be mounted over the machine's /proc")
        namespaces.private_proc()

    def view() -> None:
        stages = [staging.Stage(path, request["copied"], request["shown"]) for path in request["staged"]]
        outgoing.extend(
            mounts.private_mounts(
                request["writable"], request["covered"], request["private"], mapped=request["mapped"], stages=stages
            )
        )
        mounts.guard(request["pinned"], request["frozen"])
        apart.append(True)

    own_proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)

    def read_search() -> None:
        if not privileges.holds(privileges.CAP_DAC_READ_SEARCH):
            raise OSError(errno.EPERM, "akili does not hold CAP_DAC_READ_SEARCH")

    steps: list[tuple[str, Callable[[], object]]] = [
        ("read_search", read_search),
        ("owners", _try_owners),
        ("mount_namespace", view),
        ("proc", private_proc),
        ("proxy", lambda: outgoing.append(namespaces.own_network(_PROXY_PORT).detach())),
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
    """Let the kernel pick this tree first when memory runs out."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(descriptor, b"1000")
    os.close(descriptor)


def _try_owners() -> None:
    """Find out whether a directory can be mounted for its owner, without doing it."""
    descriptor = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    users = ownership.id_map_of(descriptor)
    os.close(ownership.mapped(users, descriptor))


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
