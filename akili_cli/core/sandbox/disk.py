"""What a command has put on disk: looked at closely only while a file system it may write to is getting fuller."""

from __future__ import annotations

import os
import stat

from akili_cli.core.sandbox import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK = 512
_MAX_ENTRIES = 20_000  # more new files than that count as too much
_MAX_INODES = 100_000


class Disk:
    """Watches the places a command may write to, against one limit in bytes for all of them together."""

    def __init__(self, places: Sequence[bytes], limit: int, since_s: float) -> None:
        """Note how full they are; ``since_s`` is the wall clock: what changed later is the command's."""
        self._limit = limit
        self._since_s = since_s
        self._before = {place: _free(place) for place in places}

    def is_exceeded(self, process: int) -> bool:
        """Tell whether the tree below ``process`` holds more than the limit."""
        if not any(self._is_fuller(place) for place in self._before):
            return False
        room = self._limit - tree.unlinked_bytes(process)
        for place in self._before:
            if room < 0:
                break
            room -= _changed_bytes(place, self._since_s, room)
        return room < 0

    def _is_fuller(self, place: bytes) -> bool:
        (space, inodes), (space_now, inodes_now) = self._before[place], _free(place)
        return space - space_now > self._limit or inodes - inodes_now > _MAX_INODES


def _free(place: bytes) -> tuple[int, int]:
    try:
        found = os.statvfs(place)
    except OSError:
        return 0, 0
    return found.f_bfree * found.f_frsize, found.f_ffree


def _changed_bytes(top: bytes, since_s: float, room: int) -> int:
    """Add up the files below a directory that changed; stops once that is more than ``room``."""
    total, entries = 0, 0
    pending = [top]
    while pending:
        try:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    entries += 1
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(entry.path)
                    elif status.st_ctime >= since_s:
                        total += status.st_blocks * _BLOCK
                    if entries > _MAX_ENTRIES or total > room:
                        return room + 1
        except OSError:  # gone meanwhile
            continue
    return total
