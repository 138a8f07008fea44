"""What this machine can enforce: the zygote tries every step for real, and this puts it into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akili_cli.core.sandbox import delegation, kernel, landlock
from akili_cli.core.sandbox.base import Layer

LAYERS = ("files", "network", "processes", "syscalls", "limits", "identity", "cgroup")
USERNS_FIX = (
    "allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0; "
    "in a container --security-opt seccomp=unconfined)"
)
OWNERS_FIX = (
    "run akili as the owner of that path, use file_write, or give a root akili what it needs for it: CAP_SYS_ADMIN, "
    "Linux >= 5.12, and a file system that knows mapped ids (ext4, xfs, btrfs; not overlay)"
)
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Probe:
    """The steps that failed, each with the reason. ``root`` says whether akili runs as root."""

    root: bool
    failed: Mapping[str, str] = field(default_factory=dict)
    _layers: list[tuple[Layer, ...]] = field(default_factory=list, init=False, compare=False, repr=False)

    def wanted(self) -> tuple[str, ...]:
        """List every step worth trying for this uid."""
        own = ("nobody", "read_search", "owners") if self.root else ("user_namespace",)
        return (
            *own,
            "process_count",
            "pid_namespace",
            "mount_namespace",
            "proc",
            "ipc_namespace",
            "net_namespace",
            *_FILTERS,
            "cgroup",
        )

    def works(self, step: str) -> bool:
        """Tell whether a step worked."""
        return step in self.wanted() and step not in self.failed

    def cannot_act_for_owners(self, *, mapped: bool) -> str:
        """Give why a command cannot change what only root may: each of the steps must hold. Empty when it can."""
        needed = ("mount_namespace", "landlock", "seccomp", "identity", *(("owners",) if mapped else ()))
        return next((f"{name}: {self.failed[name]}" for name in needed if name in self.failed), "")

    def layers(self) -> tuple[Layer, ...]:
        """Report each layer, active or not."""
        if not self._layers:
            self._layers.append(self._report())
        return self._layers[0]

    def _report(self) -> tuple[Layer, ...]:
        return (
            self._files(),
            self._network(),
            self._processes(),
            self._one("seccomp", "syscalls", "a filter refuses tracing, mounting, kernel keys, io_uring and the like"),
            self._one("limits", "limits", _LIMITS),
            self._identity(),
            self._one("cgroup", "cgroup", _METERED),
        )

    def _one(self, step: str, name: str, detail: str, fix: str = "") -> Layer:
        if step in self.failed:
            return Layer(name, active=False, detail=self.failed[step], fix=_FIX.get(step, ""))
        return Layer(name, active=True, detail=detail, fix=fix)

    def _files(self) -> Layer:
        how, fix = "read-only mounts, a /tmp of its own, git hooks and configuration guarded", ""
        if not self.works("mount_namespace"):
            reason = self.failed.get("mount_namespace", "")
            how = f"no mounts of its own ({reason}): modes and times outside, and git hooks in writable repositories"
            how, fix = f"{how}, can change", USERNS_FIX
        return self._one("landlock", "files", f"Landlock ABI {landlock.abi()}; {how}; {_ASKED}", fix)

    def _network(self) -> Layer:
        how, fix = (
            "no socket can be opened; an empty network of its own, a filtering proxy where hosts are permitted",
            "",
        )
        if not self.works("net_namespace"):
            reason = self.failed.get("net_namespace", "")
            how, fix = (
                f"no socket can be opened; no network of its own ({reason}): permits with hosts are refused",
                USERNS_FIX,
            )
        return self._one("seccomp", "network", how, fix)

    def _processes(self) -> Layer:
        step = "pid_namespace" if self.root or self.works("user_namespace") else "user_namespace"
        proc = "" if self.works("proc") else f"; no /proc of its own ({self.failed.get('proc', '')}): {_SEEN}"
        if step in self.failed:
            detail = (
                f"no PID namespace ({self.failed[step]}): leftovers are hunted down one by one; {_SEEN}, those of the "
                "same uid slowed down and limited"
            )
            return Layer("processes", active=False, detail=detail, fix=USERNS_FIX)
        return Layer("processes", active=True, detail=f"a PID namespace that ends with the command{proc}")

    def _identity(self) -> Layer:
        if "nobody" in self.failed:
            return self._one("nobody", "identity", "")
        detail, fix = (
            f"{'uid 65534 without groups' if self.root else _AS_AKILI}, no capabilities, no way to gain any",
            "",
        )
        if self.root:
            problem = self.cannot_act_for_owners(mapped=True)
            detail += f"; what only root may change cannot be changed ({problem})" if problem else _FOR_OWNERS
            fix = OWNERS_FIX if problem else ""
        return self._one("identity", "identity", detail, fix)


_READING = "reading past file modes, where a permit names files"
_AS_AKILI = "akili's own uid"
_FOR_OWNERS = (
    "; files of root that a permit names are changed through copies, its directories by mounts with mapped ids, and "
    "stay root's"
)
_ASKED = "size and time of a file outside can be asked for by its exact name"
_SEEN = "command lines of other processes can be seen"
_FILTERS = ("landlock", "seccomp")
_LIMITS = "CPU, memory, file size, descriptors, processes; the memory, CPU and disk of all together are watched"
_METERED = (
    "a control group for each command: memory, processes and CPU are metered by the kernel, and all in it ends at once"
)
_FIX = {
    "cgroup": delegation.FIX,
    "landlock": "use a kernel >= 5.13 that boots with lsm=landlock,...",
    "seccomp": f"use x86_64 or aarch64 (this is {kernel.MACHINE}) and a container that allows seccomp(2)",
    "nobody": "give akili CAP_SETUID and CAP_SETGID, or run it as an ordinary user",
}
