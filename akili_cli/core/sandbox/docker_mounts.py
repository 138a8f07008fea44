"""From a permit to what a container is shown of this machine: nothing but the permit's own paths.

Where a container cannot be given exactly what the permit says, nothing runs: a path to be created or deleted needs
its directory, which is only shown for writing when the permit names that directory itself. The engine opens the
paths by name some milliseconds after they were checked here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from akili_cli.domain.paths import is_within, is_within_any

HOME = "/home/sandbox"
FILES = "/scratch"
_OWN_DEVICES = frozenset(
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "tty")
)
_OWN_PROCESS = re.compile(r"/proc/(self|thread-self)(/.*)?|/proc/\d+/fd/(pipe|socket):\[\d+\]", re.DOTALL)
_HOST_STATE = ("/proc", "/sys", "/dev")
_SOCKETS = ("/run", "/var/run")
_IMAGE = frozenset(
    {
        *("/usr", "/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec"),
        *("/usr/local", "/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/var", HOME, "/home", FILES),
    }
)
_UNWRITABLE_NAME = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]|\s$")
_MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of this machine, shown under the same name. ``hidden`` covers it with something empty instead."""

    path: str
    writable: bool = False
    hidden: bool = False
    directory: bool = True


def mounts_for(effects: Effects, protected: Iterable[str], cwd: str | None) -> tuple[Mount, ...]:
    """Turn a permit's effects into mounts, outer paths first; ``cwd`` None is the container's own directory.

    Raises ``SandboxError`` for what is protected, what belongs to the container itself, what only this machine
    could show, and a working directory that the permit does not cover.
    """
    guarded = frozenset((*map(os.path.realpath, protected), *protected))
    kept: dict[str, Mount] = {}
    for path in effects.writes:
        if _check(path, guarded):
            _add(kept, path, guarded, writable=True)
    for path in effects.reads:
        if _check(path, guarded) and os.path.lexists(path):
            _add(kept, path, guarded, writable=False)
    for path in (*effects.deletes, *(path for path in effects.writes if path not in kept)):
        if _check(path, guarded) and not _inside_writable(path, kept.values()):
            raise SandboxError(
                f"the docker sandbox cannot create or delete {path} without opening the directory it is in",
                hint="permit writing to that directory, or use `sandbox.type: process`",
            )
    if cwd is not None:
        _check_directory(cwd, kept, guarded)
    shown = [mount for mount in kept.values() if not _is_shown_by(mount, kept)]
    return tuple(sorted((*shown, *_masks(shown, guarded)), key=lambda mount: (mount.path.count("/"), mount.path)))


def first_socket(mounts: Iterable[Mount]) -> str | None:
    """Give a Unix socket that the mounts show, or a directory too large to be sure; None when there is none."""
    waiting = [mount.path for mount in mounts if mount.directory and not mount.hidden]
    hidden = {mount.path for mount in mounts if mount.hidden}
    seen = 0
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    seen += 1
                    if seen > _MAX_ENTRIES:
                        return directory
                    if entry.is_dir(follow_symlinks=False):
                        waiting += () if entry.path in hidden else (entry.path,)
                    elif not (entry.is_file(follow_symlinks=False) or entry.is_symlink()) and _is_socket(entry):
                        return entry.path
        except OSError:  # what akili cannot enter, uid 65534 cannot either
            continue
    return None


def _is_socket(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _check(path: str, guarded: Collection[str]) -> bool:
    """Tell whether a path of the permit is one of this machine; raise for what can never be shown."""
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise SandboxError(f"the permit names {path!r}, which is not an absolute, resolved path")
    if path in _OWN_DEVICES or _OWN_PROCESS.fullmatch(path):
        return False
    if any(is_within(path, root) for root in _HOST_STATE):
        raise SandboxError(
            f"{path}: the docker sandbox shows the container, not this host",
            hint="use `sandbox.type: process` to look at this machine",
        )
    if _UNWRITABLE_NAME.search(path) or not path.isprintable():
        raise SandboxError(f"the path {path!r} holds characters that a mount cannot carry")
    if path == "/" or path in _IMAGE:
        raise SandboxError(
            f"{path} cannot be shown to a container: it would replace what the image brings",
            hint="name narrower paths, or use `sandbox.type: process`",
        )
    if any(is_within(path, root) for root in (*_SOCKETS, *map(os.path.realpath, _SOCKETS))):
        raise SandboxError(f"{path} cannot be shown to a container: sockets of this machine's services are there")
    if is_within_any(path, guarded) or is_within_any(os.path.realpath(path), guarded):
        raise SandboxError(f"{path} is protected: no command may touch it")
    return True


def _add(kept: dict[str, Mount], path: str, guarded: Collection[str], *, writable: bool) -> None:
    mode = _mode(path)
    if mode == 0 and writable:
        return
    if os.path.realpath(path) != path:
        raise SandboxError(f"{path} has become a link since it was ruled on", hint="ask again")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SandboxError(f"{path} is neither a file nor a directory and cannot be shown to a container")
    inner = next((root for root in guarded if is_within(root, path)), None)
    if writable and inner is not None:
        raise SandboxError(f"{path} cannot be opened for writing: it holds the protected {inner}")
    if path not in kept:
        kept[path] = Mount(path, writable=writable, directory=stat.S_ISDIR(mode))


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise SandboxError(f"{path!r} cannot be looked at: {error}") from error


def _inside_writable(path: str, mounts: Iterable[Mount]) -> bool:
    return any(mount.writable and mount.path != path and is_within(path, mount.path) for mount in mounts)


def _is_shown_by(mount: Mount, kept: dict[str, Mount]) -> bool:
    """Tell whether a mount adds nothing to one above it."""
    above = [other for other in kept.values() if other.path != mount.path and is_within(mount.path, other.path)]
    nearest = max(above, key=lambda other: len(other.path), default=None)
    return nearest is not None and (nearest.writable or not mount.writable)


def _check_directory(cwd: str, kept: dict[str, Mount], guarded: Collection[str]) -> None:
    if not _check(cwd, guarded) or not Path(cwd).is_dir():
        raise SandboxError(f"the working directory {cwd} does not exist")
    if not any(is_within(cwd, path) for path in kept):
        raise SandboxError(
            f"the working directory {cwd} is not among the paths the permit reads",
            hint="a tool that sets a working directory declares it in its effects",
        )


def _masks(shown: list[Mount], guarded: Collection[str]) -> list[Mount]:
    """Cover what is protected below a shown directory."""
    masks = [
        Mount(root, hidden=True, directory=stat.S_ISDIR(_mode(root)))
        for root in sorted(guarded)
        if any(is_within(root, mount.path) for mount in shown) and os.path.realpath(root) == root and _mode(root)
    ]
    paths = {mask.path for mask in masks if mask.directory}
    return [mask for mask in masks if not is_within_any(str(Path(mask.path).parent), paths)]
