"""The profile that macOS' sandbox-exec enforces: everything is denied but what the permit names.

Where two rules speak of one path the last one wins, so what must never be touched comes last.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterable, Iterator

from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from akili_cli.domain.paths import is_within

_BASE = """(version 1)
(deny default)
(allow process-exec process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero"))
(allow file-read* (literal "/dev/random") (literal "/dev/urandom"))"""
_SYSTEM = ("/usr", "/bin", "/sbin", "/System", "/Library/Developer/CommandLineTools", "/private/etc")
_MOVED = ("/tmp", "/var", "/etc")
_UNQUOTABLE = re.compile(r"[\x00-\x1f\x7f]")


def seatbelt_profile(effects: Effects, protected: Iterable[str], *, scratch: str, cwd: str) -> str:
    """Give the profile for one permit; ``scratch`` may be written, ``cwd`` must be covered.

    Raises ``SandboxError`` for hosts, protected paths, paths that cannot be written down, and a working
    directory that the permit does not name.
    """
    if effects.hosts:
        raise SandboxError("the seatbelt sandbox opens no network", hint="use `sandbox.type: docker` for such a call")
    guarded = tuple(dict.fromkeys(_place(path) for path in protected))
    scratch, cwd = _place(scratch), _place(cwd)
    reads = [_place(path) for path in effects.reads]
    writes = [_place(path) for path in effects.writes]
    deletes = [_place(path) for path in effects.deletes]
    for path in (*reads, *writes, *deletes, *(() if is_within(cwd, scratch) else (cwd,))):
        _check(path, guarded)
    if not any(is_within(cwd, root) for root in (scratch, *reads, *writes)):
        raise SandboxError(
            f"the working directory {cwd} is not among the paths the permit reads",
            hint="a tool that sets a working directory declares it in its effects",
        )
    lines = [_BASE, *_rule("allow file-read*", "subpath", (*_SYSTEM, *reads, *writes, scratch))]
    lines += _rule("allow file-write*", "subpath", (*writes, scratch))
    lines += _rule("allow file-write-unlink", "subpath", deletes)
    lines += _guards(writes)
    lines += _rule("deny file-read* file-write*", "subpath", [path for path in guarded if not is_within(scratch, path)])
    return "\n".join(lines) + "\n"


def _rule(verb: str, kind: str, paths: Iterable[str]) -> Iterator[str]:
    for path in dict.fromkeys(paths):
        yield f"({verb} ({kind} {_quoted(path)}))"


def _guards(writes: list[str]) -> Iterator[str]:
    """Keep git's hooks and config as they are below every place that may be written, also by renaming their parents."""
    if not writes:
        return
    yield r'(deny file-write* (regex #"/\.git/hooks(/|$)") (regex #"/\.git/config(\.worktree)?(\.lock)?$"))'
    yield r'(deny file-write-unlink (regex #"/\.git$"))'
    parents = {parent for path in writes for parent in _ancestors(path)}
    yield from _rule("deny file-write-unlink", "literal", sorted(parents))


def _ancestors(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) != "/":
        yield path


def _place(path: str) -> str:
    """Give a path as the kernel of macOS sees it: /tmp, /var and /etc are links into /private."""
    if _UNQUOTABLE.search(path) or not path.isprintable():
        raise SandboxError(f"the path {path!r} holds characters that a profile cannot carry")
    if not path.startswith("/"):
        raise SandboxError(f"the path {path!r} is not absolute, so it cannot be granted")
    for link in _MOVED:
        if is_within(path, link):
            return f"/private{path}"
    real = os.path.realpath(path)
    return next((f"/private{real}" for link in _MOVED if is_within(real, link)), path)


def _check(path: str, guarded: tuple[str, ...]) -> None:
    if not path.startswith("/") or ".." in path.split("/") or path == "/":
        raise SandboxError(f"the permit names {path!r}, which cannot be granted")
    for root in guarded:
        if is_within(path, root) or is_within(os.path.realpath(path), root):
            raise SandboxError(f"{path} is protected: no command may touch {root}")


def _quoted(path: str) -> str:
    return json.dumps(path, ensure_ascii=False)
