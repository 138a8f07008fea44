"""Control groups for tests: a directory that looks like one and records what is written, and the kernel's own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def pretend(top: Path, *, controllers: str = "cpuset cpu io memory pids", procs: str = "", name: str = "/job") -> Path:
    """Make /proc files and a group as the kernel would show them; give the directory that stands for /proc."""
    group = top / "cgroup" / name.strip("/")
    group.mkdir(parents=True, exist_ok=True)
    for file, text in (
        ("cgroup.controllers", controllers),
        ("cgroup.procs", procs),
        ("cgroup.subtree_control", ""),
        ("cgroup.kill", ""),
        ("cgroup.type", "domain"),
    ):
        (group / file).write_text(text)
    (top / "cgroup/cgroup.procs").touch()  # the group above
    own = top / "proc/self"
    own.mkdir(parents=True, exist_ok=True)
    (own / "cgroup").write_text(f"4:memory:/elsewhere\n0::{name}\n")
    (own / "mountinfo").write_text(
        "22 1 0:20 / /proc rw - proc proc rw\n"
        f"30 1 0:26 / {str(top / 'cgroup').replace(' ', chr(92) + '040')} rw,relatime shared:9 - cgroup2 cgroup rw\n"
    )
    return top / "proc"


def mounted() -> Path | None:
    """Give where cgroup v2 is mounted and can be changed, if it is."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line and os.access(line.split()[4], os.W_OK):
            return Path(line.split()[4])
    return None


@contextmanager
def group_of_my_own() -> Iterator[Path]:
    """Make a group that is marked as delegated, for a process to move into; it is removed, with what is in it."""
    top = mounted()
    assert top is not None
    group = top / f"akili-test-{os.getpid()}-{secrets.token_hex(4)}"
    group.mkdir()
    os.setxattr(group, "user.delegate", b"1")
    try:
        yield group
    finally:
        (group / "cgroup.kill").write_text("1")
        for path, _, _ in os.walk(group, topdown=False):
            for _ in range(500):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    os.sched_yield()
