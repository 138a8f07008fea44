"""A view of the file system of one's own: read-only but for what is granted, and empty where nothing may be seen."""

from __future__ import annotations

import os
import stat

from akili_cli.core.sandbox import kernel, namespaces, ownership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from akili_cli.core.sandbox.staging import Stage

_RDONLY, _NOSUID, _NODEV = 1, 2, 4
_BIND, _REC = 4096, 16384
_MOUNT_SETATTR = 442
_AT_RECURSIVE = 0x8000
_EMPTY, _USABLE = b"mode=0711,size=1m,nr_inodes=1k", b"mode=1777,size=64m,nr_inodes=16k"


def _set_attributes(path: bytes, *, add: int, remove: int = 0, flags: int = 0) -> None:
    words = b"".join(word.to_bytes(8, "little") for word in (add, remove, 0, 0))
    kernel.syscall(_MOUNT_SETATTR, -100, path + b"\0", flags, words, len(words), what="mount_setattr")


def private_mounts(
    writable: Sequence[bytes],
    covered: Sequence[bytes],
    private: Sequence[bytes] = (),
    *,
    mapped: Collection[bytes] = (),
    stages: Sequence[Stage] = (),
) -> list[int]:
    """Leave the host's mounts for a copy; make all but ``writable`` read-only; hide what is below ``covered``.

    This holds where Landlock is blind: changes of mode, owner and time need a writable mount. A covered
    directory looks empty except for the way to writable paths below it; a covered file reads as empty. A
    ``private`` directory also looks empty, and can be used until the command ends. Of the writable places the
    ``mapped`` ones belong to somebody else, ``stages`` are directories of somebody else in which single names may
    change; the stages' descriptors are returned. Raises ``OSError``.
    """
    namespaces.unshare_mounts()
    places = {path: kernel.open_plain(path) for path in writable}
    for stage in stages:
        stage.open()
    read_only = {path for path in writable if os.statvfs(path).f_flag & os.ST_RDONLY}
    owners = {path: ownership.id_map_of(places[path]) for path in mapped}  # needs a /proc that can be written to
    _set_attributes(b"/", add=_RDONLY | _NOSUID, flags=_AT_RECURSIVE)
    ways = {**places, **{stage.path: stage.original for stage in stages}}
    hidden: list[bytes] = []
    for path in sorted((*covered, *private)):
        if not any(path.startswith(above + b"/") for above in hidden):
            _cover(path, [way for way in ways if way.startswith(path + b"/")], usable=path in private)
            hidden.append(path)
    staged: list[int] = []
    for stage in stages:
        staged += stage.build(ways)
    for path, descriptor in places.items():
        keep = 0 if path in read_only else _RDONLY  # what the machine's owner mounted read-only stays so
        if path in owners:
            ownership.place(ownership.mapped(owners[path], descriptor, keep), path)
        else:
            kernel.mount(b"/proc/self/fd/%d" % descriptor, path, None, _BIND | _REC)
            if keep:
                _set_attributes(path, add=_NOSUID | _NODEV, remove=keep)
        os.close(descriptor)
    return staged


def guard(pinned: Sequence[bytes], frozen: Sequence[bytes]) -> None:
    """Make paths mounts of their own, which nobody can rename or remove; frozen ones cannot change either.

    Only inside private mounts. Raises ``OSError``.
    """
    for path in (*pinned, *frozen):
        descriptor = kernel.open_plain(path)
        kernel.mount(b"/proc/self/fd/%d" % descriptor, path, None, _BIND | _REC)
        os.close(descriptor)
    for path in frozen:
        _set_attributes(path, add=_RDONLY)


def _cover(path: bytes, ways: list[bytes], *, usable: bool) -> None:
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        kernel.mount(b"/dev/null", path, None, _BIND)
        return
    kernel.mount(b"tmpfs", path, b"tmpfs", _NOSUID | _NODEV, _USABLE if usable else _EMPTY)
    for way in ways:
        os.makedirs(way, mode=0o755, exist_ok=True)  # noqa: PTH103 - pathlib would make every fork bigger
    if not usable:
        _set_attributes(path, add=_RDONLY)
