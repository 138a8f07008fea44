"""From a permit to what the kernel is told: which paths, ports and socket families one command gets.

What is wider than the permit declares, because the kernel cannot say it more narrowly:

- A path to be created does not exist yet, so its nearest existing parent directory gets the rights to create
  files and directories and to write (not to truncate, remove or read) below it.
- A path to be deleted gives its parent directory the right to remove files, or directories, below it.
- Where mounts are made read-only, the directory of a permitted change stays a writable mount: mode, owner and
  time of what the command's uid owns in there can change.
- Neither of these holds for akili as root: what its commands' uid may not change anyway is given to them exactly,
  see ``foreign``.
- ``unix:`` hosts allow every Unix socket that the command's uid may connect to. The ``network`` layer does not
  count as active then.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from akili_cli.core.sandbox import landlock, proxy, seccomp
from akili_cli.core.sandbox.foreign import Foreign, foreign_changes
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from akili_cli.domain.paths import is_within

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_ETC = (
    *("passwd", "group", "nsswitch.conf", "hosts", "host.conf", "gai.conf", "resolv.conf", "services", "protocols"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "localtime", "timezone", "alternatives"),
    *("ssl/certs", "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf", "os-release", "terminfo", "gitconfig"),
)
_DEVICES = (
    *((f"/dev/{name}", landlock.DEVICE) for name in ("null", "zero", "full")),
    *((f"/dev/{name}", landlock.READ_FILE) for name in ("random", "urandom")),
)
_TMP = os.path.realpath("/tmp")
_VIRTUAL = ("/proc", "/sys", "/dev")
_CREATE = landlock.MAKE_REG | landlock.MAKE_DIR | landlock.WRITE_FILE
_CLEAR = landlock.REMOVE_FILE | landlock.REMOVE_DIR | landlock.READ_DIR
_OTHER_PROCESS = re.compile(r"/proc/\d+(/|$)")
_OWN_PROCESS = re.compile(r"/proc/(self|thread-self|net|mounts)(/|$)")
_NETWORK_STATE = re.compile(r"/proc/((\d+|self|thread-self)/)?net(/|$)")
_MAX_SIBLINGS = 20_000


@dataclass(frozen=True, slots=True)
class Rule:
    """Landlock rights on a path; ``plain`` demands that no symlink is on the way to it."""

    path: str
    rights: int
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Network:
    """Socket families a command may open, TCP ports it may connect to, and which network they are in.

    ``shared`` means the machine's own, ``hosts`` one whose only way out is a proxy to these hosts.
    """

    families: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    shared: bool = False
    hosts: tuple[str, ...] = ()

    @property
    def reaches_out(self) -> bool:
        """Whether a socket can reach something outside that the permit does not name."""
        return seccomp.AF_UNIX in self.families


@dataclass(frozen=True, slots=True)
class Grants:
    """What one command gets.

    ``writable`` directories stay writable mounts; ``covered`` protected paths are hidden by mounts.
    ``private`` directories are shown empty, for this command's own use.
    The base rules of ``base_rules`` belong to them where ``base`` is true; else all are among the rules.
    ``foreign`` is what the command's uid could not change by itself, ``shown`` what it may read in staged directories.
    ``host_proc`` shows the machine's own processes. ``beyond_base`` is true when a path outside the system's
    own and the kernel's file systems is granted.
    """

    rules: tuple[Rule, ...]
    writable: tuple[str, ...]
    covered: tuple[str, ...]
    private: tuple[str, ...]
    foreign: Foreign
    shown: tuple[str, ...]
    network: Network
    base: bool
    host_proc: bool
    beyond_base: bool


def grants_for(
    effects: Effects, protected: Iterable[str], *, scratch: str, cwd: str, mounts: bool, uid: int | None = None
) -> Grants:
    """Turn a permit's effects into grants; ``scratch`` and ``cwd`` are resolved, ``mounts`` says they are private.

    ``uid`` is the command's, where it is another one than akili's.

    Raises ``SandboxError`` for what reaches into a protected root, for a working directory that the permit
    does not cover, and for a host or path that cannot be read.
    """
    guarded = tuple(dict.fromkeys(os.path.realpath(root) for root in protected))
    declared = (*effects.reads, *effects.writes, *effects.deletes)
    for path in declared if is_within(cwd, scratch) else (*declared, cwd):
        _check(path, guarded)
    if not any(is_within(cwd, root) for root in (scratch, *effects.reads, *effects.writes)):
        raise SandboxError(
            f"the working directory {cwd} is not among the paths the permit reads",
            hint="a tool that sets a working directory declares it in its effects",
        )
    host_proc = any(is_within("/proc", path) or _OTHER_PROCESS.match(path) for path in effects.reads)
    base = not any(
        is_within(root, rule.path) or is_within(rule.path, root) for rule in base_rules() for root in guarded
    )
    rules = [*(() if base else _expanded(base_rules(), guarded)), Rule(scratch, landlock.CHANGE)]
    rules += [] if host_proc else [Rule("/proc", landlock.READ)]
    sockets = (host.removeprefix("unix:") for host in effects.hosts if host.startswith("unix:"))
    private = _private((*declared, *sockets, *(() if is_within(cwd, scratch) else (cwd,)))) if mounts else ()
    rules += [Rule(path, landlock.CHANGE) for path in private]
    for path in (path for path in effects.reads if not _OWN_PROCESS.match(path)):
        rules += _read_rules(path, guarded, mounts=mounts)
    foreign = Foreign() if uid is None else foreign_changes(effects, uid)
    shown = _shown(foreign, (*rules, *(base_rules() if base else ())))
    rules += [Rule(stage.path, landlock.CHANGE) for stage in foreign.stages]
    writable = [scratch]
    for path in (path for path in effects.writes if path not in foreign.names):
        target = _existing(path)
        if target == path:
            rules += _expanded([Rule(path, landlock.CHANGE)], guarded)
            writable.append(path if stat.S_ISDIR(_mode(path)) else str(Path(path).parent))
        else:
            rules.append(_opened(Rule(target, _CREATE), path, guarded, mounts=mounts))
            writable.append(target)
    for path in (path for path in effects.deletes if path not in foreign.names):
        parent, is_directory = str(Path(path).parent), stat.S_ISDIR(_mode(path))
        right = landlock.REMOVE_DIR if is_directory else landlock.REMOVE_FILE
        rules.append(_opened(Rule(parent, right), path, guarded, mounts=mounts))
        rules += _expanded([Rule(path, _CLEAR)], guarded) if is_directory else ()
        writable.append(_existing(parent))
    return Grants(
        rules=tuple(rules),
        writable=tuple(dict.fromkeys(path for path in writable if _mountable(path))),
        covered=tuple(path for path in guarded if _mode(path)),
        private=private,
        foreign=foreign,
        shown=shown,
        network=_network(effects),
        base=base,
        host_proc=host_proc,
        beyond_base=any(not any(is_within(path, root) for root in (*_VIRTUAL, *_SYSTEM)) for path in declared),
    )


def _shown(foreign: Foreign, rules: Iterable[Rule]) -> tuple[str, ...]:
    """Give what may be read in staged directories, which show nothing else; a directory above one means all of it."""
    if not foreign.stages:
        return ()
    readable = dict.fromkeys(rule.path for rule in rules if rule.rights & landlock.READ_FILE)
    staged = [stage.path for stage in foreign.stages]
    return tuple(path for path in readable if any(is_within(path, root) or is_within(root, path) for root in staged))


def _private(used: Iterable[str]) -> tuple[str, ...]:
    """Give /tmp, unless something in it or above it is granted: then it is seen as it is."""
    if any(is_within(path, _TMP) or is_within(_TMP, path) for path in used) or not stat.S_ISDIR(_mode(_TMP)):
        return ()
    return (_TMP,)


def _read_rules(path: str, guarded: tuple[str, ...], *, mounts: bool) -> Iterator[Rule]:
    """Open a path for reading, but never /dev as a whole: with it would come the raw disks under everything.

    Where protected paths are hidden by mounts, names of all directories below can be shown.
    """
    if path == "/dev":
        yield Rule(path, landlock.READ_DIR)
        return
    closed = guarded if is_within(path, "/dev") else (*guarded, "/dev")
    yield from _expanded([Rule(path, landlock.READ_RUN)], closed)
    if mounts and any(is_within(root, path) for root in closed) and stat.S_ISDIR(_mode(path)):
        yield Rule(path, landlock.READ_DIR)


def _mountable(path: str) -> bool:
    """Tell whether a directory can be a writable mount; device nodes are written on read-only ones as well."""
    return path != "/" and (is_within(path, "/dev/shm") or not any(is_within(path, root) for root in _VIRTUAL))


def _is_encodable(path: str) -> bool:
    try:
        return bool(os.fsencode(path))
    except UnicodeEncodeError:
        return False


def _mode(path: str) -> int:
    """Give the file mode behind a path, 0 when there is none or it cannot be seen."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - beside the calls that need a text path
    except OSError:
        return 0


def _check(path: str, guarded: tuple[str, ...]) -> None:
    if not path.startswith("/") or "\0" in path or ".." in path.split("/") or not _is_encodable(path):
        raise SandboxError(f"the permit names {path!r}, which is not an absolute, resolved path")
    if stat.S_ISBLK(_mode(path)):
        raise SandboxError(f"{path} is a raw disk, below everything that paths protect")
    for root in guarded:
        if is_within(path, root) or is_within(os.path.realpath(path), root):
            raise SandboxError(f"{path} is protected: no command may touch {root}")


@functools.cache
def base_rules() -> tuple[Rule, ...]:
    """Give what every command may read: the system's programs, their configuration, harmless devices."""
    paths = [(path, landlock.READ_RUN) for path in _SYSTEM] + [(f"/etc/{name}", landlock.READ) for name in _ETC]
    return tuple(Rule(os.path.realpath(path), rights, plain=False) for path, rights in (*paths, *_DEVICES))


def _expanded(rules: Iterable[Rule], guarded: tuple[str, ...]) -> Iterator[Rule]:
    """Replace a rule above a protected root by rules on everything beside the way to it."""
    pending = list(rules)
    while pending:
        rule = pending.pop()
        if any(is_within(rule.path, root) for root in guarded):
            continue
        if not any(is_within(root, rule.path) for root in guarded):
            yield rule
            continue
        try:
            names = [child.name for child in Path(rule.path).iterdir()]
        except OSError:
            continue
        if len(names) > _MAX_SIBLINGS:
            raise SandboxError(f"{rule.path} holds {len(names)} entries beside a protected path: too many to grant")
        children = (Path(rule.path, name) for name in names)
        plain = (child for child in children if not os.path.islink(child))  # noqa: PTH114 - is_symlink can raise
        pending += [Rule(str(child), rule.rights, rule.plain) for child in plain]


def _existing(path: str) -> str:
    """Give the path itself, or the nearest directory above it that exists."""
    while not os.path.lexists(path):
        path = str(Path(path).parent)
    return path


def _opened(rule: Rule, declared: str, guarded: tuple[str, ...], *, mounts: bool) -> Rule:
    """Pass a rule on a directory above a declared path, if nothing protected lies open below it."""
    if rule.path == "/":
        raise SandboxError(f"{declared} cannot be granted: its directory is the whole file system")
    for root in guarded:
        if is_within(root, rule.path) and not (mounts and _mode(root)):
            raise SandboxError(
                f"{declared} cannot be granted without opening {rule.path}, which holds the protected {root}",
                hint="work in a directory that holds nothing of akili's own",
            )
    return rule


def _network(effects: Effects) -> Network:
    hosts = tuple(host for host in effects.hosts if not host.startswith("unix:"))
    families = {seccomp.AF_UNIX} if len(hosts) < len(effects.hosts) else set()
    for host in hosts:
        port = host.rpartition(":")[2]
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise SandboxError(f"the permit names the host {host!r}, which has no port")
    observes = any(is_within("/proc/net", path) or _NETWORK_STATE.match(path) for path in effects.reads)
    if observes and hosts:
        raise SandboxError(
            "one command cannot look at this machine's network and reach hosts: those are reached from a network of "
            "its own",
            hint="make two calls of it",
        )
    if observes or any(is_within("/sys", path) for path in effects.reads):
        families.add(seccomp.AF_NETLINK)
    if hosts:
        families |= {seccomp.AF_INET, seccomp.AF_INET6}
    return Network(tuple(sorted(families)), (proxy.PORT,) if hosts else (), shared=observes, hosts=hosts)
