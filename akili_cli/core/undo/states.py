"""What files are at one moment: looked at without following links, read, compared, packed into one content."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import posixpath
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from akili_cli.adapters.files.nodes import opened_directory, read_in
from akili_cli.adapters.files.paths import open_beneath
from akili_cli.core.undo.git_index import meaning
from akili_cli.domain.errors import NotFoundError, ToolFailedError
from akili_cli.domain.images import RepositoryPlaces

MAX_BYTES = 64 << 20
MAX_FILES = 50_000
_STATE_DIRECTORIES = ("refs", "logs", "info", "reftable", "rebase-merge", "rebase-apply", "sequencer", "worktrees")
_NO_STATE = frozenset({"COMMIT_EDITMSG", "FETCH_HEAD", "gc.log", "gc.pid", "description"})
_EXECUTABLE = 0o111
_MAX_NAME = 1024

Kind = Literal["file", "link", "directory", "other"]
Looks = Mapping[str, os.stat_result]


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in a directory; ``data`` is a file's content or a link's target."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    data: bytes = b""


def look(places: RepositoryPlaces) -> dict[str, os.stat_result]:
    """Give everything that stands in the places. Raises ``ToolFailedError`` when that is too much or not plain."""
    found: dict[str, os.stat_result] = {}
    for directory in dict.fromkeys((places.git_dir, places.common_dir)):
        _look_at_state(directory, found)
    closed = {places.git_dir, places.common_dir}
    for root in places.work:
        above = posixpath.dirname(root)
        if root != places.top and os.path.realpath(above) != above:
            continue  # git does not reach through a link
        while above != places.top and above.startswith(f"{places.top}/"):
            found.update(look_at((above,)))
            above = posixpath.dirname(above)
        _look_below(root, found, closed, top=places.top, inner=places.inner)
    return found


def look_at(paths: Iterable[str]) -> dict[str, os.stat_result]:
    """Give what stands at exactly these paths. Raises ``ToolFailedError`` for what cannot be seen."""
    found = {}
    for path in paths:
        try:
            found[path] = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ToolFailedError(f"cannot look at {path!r}: {error.strerror}") from error
    return found


def why_too_much(found: Looks) -> str | None:
    """Say why not all that was seen can be kept, if so."""
    total = sum(each.st_size for each in found.values() if stat.S_ISREG(each.st_mode))
    if total > MAX_BYTES:
        return f"what it may change holds {total >> 20} MiB; up to {MAX_BYTES >> 20} are kept"
    for path, each in found.items():
        if stat.S_ISREG(each.st_mode) and not os.access(path, os.R_OK):
            return f"{path!r} may not be read"
    return None


def take(found: Looks) -> dict[str, Node]:
    """Read what was seen. Raises ``ToolFailedError`` for what cannot be read, or is more than is kept."""
    nodes: dict[str, Node] = {}
    total = 0
    for directory, paths in itertools.groupby(sorted(found, key=posixpath.split), key=posixpath.dirname):
        try:
            with opened_directory(directory) as fd:
                for path in paths:
                    node = _node(fd, path, found[path], MAX_BYTES - total)
                    if node is not None:
                        nodes[path] = node
                        total += len(node.data)
        except NotFoundError:
            continue
    return nodes


def moved(before: Looks, after: Looks) -> set[str]:
    """Give the paths at which something came, went or was written in between."""
    return {path for path in before.keys() | after.keys() if _trace(before.get(path)) != _trace(after.get(path))}


def sign(path: str, node: Node | None) -> str | None:
    """Give what two nodes share when a person would call them the same; None where nothing stands."""
    if node is None:
        return None
    return _signed(node.kind, node.mode, hashlib.sha256(_meant(path, node.data)).hexdigest())


def sign_now(path: str) -> str | None:
    """Sign what stands at a path now. Raises ``ToolFailedError`` for what cannot be read."""
    try:
        seen = os.lstat(path)
        kind, digest = _kind(seen.st_mode), hashlib.sha256()
        if kind == "file" and _is_index(path):
            digest.update(_meant(path, content(path)))
        elif kind == "file":
            with os.fdopen(open_beneath("/", path, os.O_RDONLY), "rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        elif kind == "link":
            digest.update(os.fsencode(os.readlink(path)))  # noqa: PTH115 - a target that need not be Unicode
    except (FileNotFoundError, NotADirectoryError, NotFoundError):
        return None
    except OSError as error:
        raise ToolFailedError(f"cannot read {path!r}: {error.strerror}") from error
    return _signed(kind, seen.st_mode, digest.hexdigest())


def head(git_dir: str, common_dir: str) -> str:
    """Give where HEAD points and the commit it means, as far as files tell."""
    said = _text(f"{git_dir}/HEAD").strip()[:_MAX_NAME]
    name = said.removeprefix("ref: ")
    if not said.startswith("ref: ") or name.startswith("/") or ".." in name.split("/"):
        return said
    commit = _text(f"{common_dir}/{name}")
    if not commit:
        packed = (line.partition(" ") for line in _text(f"{common_dir}/packed-refs").splitlines())
        commit = next((one for one, _, ref in packed if ref == name), "")
    return f"{said} {commit.strip()[:_MAX_NAME]}"


def pack(header: Mapping[str, object], nodes: Mapping[str, Node]) -> bytes:
    """Write nodes and what belongs to them as one content."""
    places, blobs, at = {}, [], 0
    for path, node in nodes.items():
        size = len(node.data)
        places[path] = [node.kind, node.mode, node.uid, node.gid, node.mtime_ns, at, size]
        blobs.append(node.data)
        at += size
    line = json.dumps({**header, "nodes": places}, sort_keys=True).encode()
    return b"\n".join((line, b"".join(blobs)))


def unpack(data: bytes) -> tuple[dict[str, object], dict[str, Node]]:
    """Read what ``pack`` wrote."""
    line, _, blobs = data.partition(b"\n")
    header = json.loads(line)
    nodes = {
        path: Node(kind, mode, uid, gid, mtime, blobs[at : at + size])
        for path, (kind, mode, uid, gid, mtime, at, size) in header.pop("nodes").items()
    }
    return header, nodes


def _look_at_state(directory: str, found: dict[str, os.stat_result]) -> None:
    """Look at the files of a git directory that say what state the repository is in; objects are never deleted."""
    below = look_at(f"{directory}/{name}" for name in _names(directory) if name not in _NO_STATE)
    for path, seen in list(below.items()):
        if stat.S_ISDIR(seen.st_mode):
            del below[path]
            if posixpath.basename(path) in _STATE_DIRECTORIES:
                _look_below(path, below, set(), top=path, inner=True)
    links = [path for path, seen in below.items() if stat.S_ISLNK(seen.st_mode)]
    if links:
        raise ToolFailedError(f"{links[0]!r} is a symbolic link")
    found.update(below)


def _look_below(path: str, found: dict[str, os.stat_result], closed: set[str], *, top: str, inner: bool) -> None:
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path in closed:
            continue
        found.update(look_at((path,)))
        if len(found) > MAX_FILES:
            raise ToolFailedError(f"what it may change is more than {MAX_FILES} files")
        seen = found.get(path)
        if seen is None or not stat.S_ISDIR(seen.st_mode):
            continue
        names = _names(path)
        if inner or path == top or not any(name.lower() == ".git" for name in names):
            waiting += [posixpath.join(path, name) for name in names]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names as text, undecodable bytes kept
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ToolFailedError(f"cannot list {directory!r}: {error.strerror}") from error


def content(path: str) -> bytes:
    """Read a file whole, following no link. Raises ``NotFoundError``, ``ToolFailedError`` and ``OSError``."""
    directory, name = posixpath.split(path)
    with opened_directory(directory) as fd:
        data = read_in(fd, name, MAX_BYTES)
    if data is None:
        raise _too_much()
    return data


def _node(directory: int, path: str, seen: os.stat_result, most: int) -> Node | None:
    """Read one thing; None when it is gone by now."""
    kind, data, name = _kind(seen.st_mode), b"", posixpath.basename(path)
    try:
        if kind == "file":
            read = read_in(directory, name, most)
            if read is None:
                raise _too_much()
            data = read
        elif kind == "link":
            data = os.fsencode(os.readlink(name, dir_fd=directory))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ToolFailedError(f"cannot read {path!r}: {error.strerror}") from error
    return Node(kind, stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_mtime_ns, data)


def _too_much() -> ToolFailedError:
    return ToolFailedError(f"what it may change holds more than the {MAX_BYTES >> 20} MiB that are kept")


def _text(path: str) -> str:
    try:
        return content(path).decode("utf-8", "surrogateescape")
    except (NotFoundError, ToolFailedError, OSError):
        return ""


def _is_index(path: str) -> bool:
    return posixpath.basename(path) == "index"


def _meant(path: str, data: bytes) -> bytes:
    return meaning(data) or data if _is_index(path) else data


def _signed(kind: Kind, mode: int, digest: str) -> str:
    return f"{kind}{' x' if kind == 'file' and mode & _EXECUTABLE else ''} {digest}"


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "link"
    return "directory" if stat.S_ISDIR(mode) else "other"


def _trace(seen: os.stat_result | None) -> tuple[int, ...] | None:
    """Give what a change of a file cannot leave as it is; of a directory only that it is one, and whose."""
    if seen is None:
        return None
    same = (seen.st_mode, seen.st_uid, seen.st_gid)
    if stat.S_ISDIR(seen.st_mode):
        return same
    return (*same, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
