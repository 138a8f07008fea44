"""What git changed in a repository, and how that is put back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from akili_cli.adapters.files.nodes import demand_write, locked, make_directory, put_link, remove_node, set_time
from akili_cli.adapters.files.paths import write_file
from akili_cli.core.undo import states
from akili_cli.core.undo.states import Looks, Node
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import ConflictError
from akili_cli.domain.images import RepositoryPlaces
from akili_cli.domain.paths import is_within

_LAST_ENTRY = re.compile(rb"^[0-9a-f]{40,64} ([0-9a-f]{40,64}) [^\n]*\n\Z", re.MULTILINE)
_LOGS = re.compile(r"(worktrees/[^/]+/)?logs/(?!refs/stash$)")
_REFERENCES = re.compile(r"(worktrees/[^/]+/)?(logs/|refs/|packed-refs$)")


@dataclass(frozen=True, slots=True)
class Change:
    """One effect on a repository.

    ``before`` holds what stood at the changed paths, ``after`` signs what git left at each (None: nothing), ``head``
    is where HEAD was then. ``reflogs`` only grew: they keep their entries, and say which commit came before those.
    """

    git_dir: str
    common_dir: str
    head: str
    before: Mapping[str, Node]
    after: Mapping[str, str | None]
    reflogs: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the state that git left, as far as it was changed."""
        return hashlib.sha256(json.dumps([self.head, self.after], sort_keys=True).encode()).hexdigest()

    @property
    def lost(self) -> str | None:
        """What cannot be put back: a thing that is neither file, link nor directory."""
        return next((path for path, node in self.before.items() if node.kind == "other"), None)

    def is_reference(self, path: str) -> bool:
        """Tell whether a path names a branch, a tag or another reference, or is a log of one."""
        return self._matches(path, _REFERENCES)

    def is_log(self, path: str) -> bool:
        """Tell whether a path is the log of a reference that git only adds to."""
        return self._matches(path, _LOGS)

    def is_gits_own(self, path: str) -> bool:
        """Tell whether a path lies in a git directory."""
        return is_within(path, self.git_dir) or is_within(path, self.common_dir)

    def _matches(self, path: str, pattern: re.Pattern[str]) -> bool:
        return any(
            is_within(path, root) and pattern.match(path[len(root) :].lstrip("/"))
            for root in (self.git_dir, self.common_dir)
        )


def change_of(places: RepositoryPlaces, nodes: Mapping[str, Node], before: Looks, after: Looks) -> Change:
    """Compare two looks at a repository; ``nodes`` is what was kept at the first."""
    change = Change(places.git_dir, places.common_dir, states.head(places.git_dir, places.common_dir), {}, {}, {})
    kept: dict[str, Node] = {}
    signs: dict[str, str | None] = {}
    reflogs: dict[str, str] = {}
    for path in sorted(states.moved(before, after)):
        node, sign = nodes.get(path), states.sign_now(path)
        if states.sign(path, node) == sign:
            continue
        last = _LAST_ENTRY.search(node.data) if node is not None and change.is_log(path) else None
        if node is not None and last is not None and sign and states.content(path).startswith(node.data):
            reflogs[path] = last[1].decode()
            continue
        signs[path] = sign
        if node is not None:
            kept[path] = node
    return Change(change.git_dir, change.common_dir, change.head, kept, signs, reflogs)


def write_change(change: Change, entry_id: str) -> bytes:
    """Give a change as one content."""
    header = {
        "entry": entry_id,
        "git_dir": change.git_dir,
        "common_dir": change.common_dir,
        "head": change.head,
        "after": change.after,
        "reflogs": change.reflogs,
    }
    return states.pack(header, change.before)


def read_change(content: bytes) -> Change:
    """Read what ``write_change`` gave; its digest was checked before."""
    header, nodes = states.unpack(content)
    return Change(
        str(header["git_dir"]),
        str(header["common_dir"]),
        str(header["head"]),
        nodes,
        cast("dict[str, str | None]", header["after"]),
        cast("dict[str, str]", header["reflogs"]),
    )


def put_back(change: Change, permit: Permit, said: str, now: float) -> str:
    """Put everything back as it was, while git is kept from changing the index; tell what was done.

    Raises ``ConflictError`` when anything is not as git left it: then nothing was done. Raises ``RefusedError``
    outside the permit and ``ToolFailedError`` when a change fails, which may be halfway.
    """
    for path in change.after:
        demand_write(permit, path)
    lock = f"{change.git_dir}/index.lock"
    if lock not in change.after and os.path.lexists(lock):
        raise ConflictError(f"git is at work in the repository, or was killed there: {lock!r} exists")
    with contextlib.nullcontext() if lock in change.after else locked(lock, permit):
        _check(change)
        for path in sorted(change.after, key=_depth, reverse=True):
            node, sign = change.before.get(path), change.after[path]
            if sign is not None and (node is None or not sign.startswith(node.kind)):
                remove_node(path, permit)
        for path in sorted(change.before, key=lambda path: (change.is_gits_own(path), _depth(path))):
            _put(path, change.before[path], permit)
        for path, commit in change.reflogs.items():
            _log(path, commit, permit, said, now)
    own = sum(change.is_gits_own(path) for path in change.after)
    where = states.head(change.git_dir, change.common_dir)
    return f"{len(change.after) - own} paths of the work tree and {own} of git's own are as before; HEAD: {where}"


def _check(change: Change) -> None:
    for path, sign in change.after.items():
        if states.sign_now(path) != sign:
            raise ConflictError(f"{path!r} was changed since; nothing was done")
        if (node := change.before.get(path)) is not None and node.kind != "directory":
            stray = next((each for each in _below(path) if each not in change.after), None)
            if stray is not None:
                raise ConflictError(f"{stray!r} came since, where a {node.kind} would come back; nothing was done")
    if all(change.is_reference(path) for path in change.after):
        return
    if (head := states.head(change.git_dir, change.common_dir)) != change.head:
        raise ConflictError(f"HEAD has moved since, from {change.head} to {head}; nothing was done")


def _below(path: str) -> Iterator[str]:
    if os.path.islink(path):  # noqa: PTH114 - text paths, as git has them
        return
    for directory, directories, files in os.walk(path):
        yield from (posixpath.join(directory, name) for name in (*directories, *files))


def _put(path: str, node: Node, permit: Permit) -> None:
    owner = (node.uid, node.gid)
    if node.kind == "directory":
        make_directory(path, permit, mode=node.mode, owner=owner)
    elif node.kind == "link":
        put_link(path, node.data, permit, owner=owner)
    else:
        write_file(path, node.data, permit, mode=node.mode, owner=owner)
        if posixpath.basename(path) == "index":
            set_time(path, node.mtime_ns, permit)  # git trusts its index for files older than it


def _log(path: str, commit: str, permit: Permit, said: str, now: float) -> None:
    """Add to a reference's log, so that it still tells where the reference is, and the undone commits stay."""
    data = states.content(path)
    last = _LAST_ENTRY.search(data)
    if last is None or last[1].decode() == commit:
        return
    found = os.lstat(path)
    line = f"{last[1].decode()} {commit} akili <akili@localhost> {int(now)} +0000\t{said}\n"
    write_file(path, data + line.encode(), permit, mode=found.st_mode, owner=(found.st_uid, found.st_gid))


def _depth(path: str) -> int:
    return path.count("/")
