"""Rules that ship with akili: the floor nobody can switch off, and the optional ones config may drop."""

from __future__ import annotations

import re
from collections.abc import Callable

from akili_cli.core.policy.diagnostics import diagnostic
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.paths import is_within_any, with_ancestors
from akili_cli.domain.risk import Risk

_PROCESS_SECRETS = re.compile(
    r"/proc/(kcore|kmsg|[^/]+/(task/[^/]+/)?(environ|mem|maps|smaps|pagemap|auxv|stack|root|cwd|fd|map_files))(/|$)"
)
AUTONOMOUS_PERMISSION = "autonomous"
SYSTEM_SOCKETS = ("unix:/run/dbus/system_bus_socket", "unix:/run/systemd/private")
OBSERVABLE = (
    "/proc",
    "/sys",
    "/var/log",
    "/run/log",
    "/run/systemd",
    "/run/utmp",
    "/var/run/utmp",
    "/usr",
    "/etc/os-release",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/fstab",
    "/etc/mtab",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/systemd",
    "/etc/machine-id",
    "/etc/timezone",
    "/etc/localtime",
    "/etc/hostname",
    "/etc/debian_version",
    "/dev/null",
    "/dev/kmsg",
    "/dev/disk",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/systemd",
)
DESTRUCTIVE = (
    "rm -r",
    "rm -R",
    "rm --recursive",
    "rm --no-preserve-root",
    "shred",
    "wipefs",
    "mkfs",
    "mke2fs",
    "mkfs.ext2",
    "mkfs.ext3",
    "mkfs.ext4",
    "mkfs.xfs",
    "mkfs.btrfs",
    "mkfs.vfat",
    "mkswap",
    "blkdiscard",
    "fdisk",
    "sfdisk",
    "parted",
    "dd",
    "shutdown",
    "reboot",
    "poweroff",
    "halt",
    "telinit",
    "init",
    "userdel",
    "cryptsetup",
    "lvremove",
    "vgremove",
    "pvremove",
)


def floor(protected: tuple[str, ...]) -> tuple[Rule, ...]:
    """Give the rules that hold whatever config says."""
    return (
        Rule(
            "protected-roots",
            BUILT_IN,
            Verdict.DENY,
            Match(condition=_touches(protected)),
            "it touches akili's own files, keys, credentials or a container socket",
        ),
        Rule(
            "process-secrets",
            BUILT_IN,
            Verdict.DENY,
            Match(condition=lambda action: any(_PROCESS_SECRETS.match(path) for path in action.paths)),
            "it looks into a process or the kernel's memory",
        ),
        Rule(
            "read-only-mode",
            BUILT_IN,
            Verdict.DENY,
            Match(condition=lambda action: action.run.read_only and not _only_looks(action)),
            "this run is read-only",
        ),
        Rule(
            "no-role",
            BUILT_IN,
            Verdict.DENY,
            Match(condition=lambda action: action.role is None),
            "the user has no role; set security.user_roles or security.default_role",
        ),
        Rule(
            "critical-always-asks",
            BUILT_IN,
            Verdict.ASK,
            Match(min_risk=Risk.CRITICAL),
            "critical actions always need a human",
        ),
    )


def _touches(protected: tuple[str, ...]) -> Callable[[Action], bool]:
    roots = frozenset(protected)
    above = frozenset(place for root in protected for place in with_ancestors(root))
    sockets = frozenset(f"unix:{root}" for root in protected)

    def touches(action: Action) -> bool:
        if action.effects.opaque is not None:
            return True
        changed = action.effects.writes + action.effects.deletes
        return (
            any(is_within_any(path, roots) for path in action.paths)
            or any(path in above for path in changed)
            or not sockets.isdisjoint(action.effects.hosts)
        )

    return touches


def _only_looks(action: Action) -> bool:
    effects = action.effects
    if effects.changes or effects.opaque is not None:
        return False
    return action.read_only or (bool(effects.commands) and all(diagnostic(c) is None for c in effects.commands))


def diagnostics(readable: tuple[str, ...]) -> Rule:
    """Allow read-only diagnostic commands on what a host shows to anybody, plus the file tool's own roots."""
    roots = frozenset(OBSERVABLE + readable)

    def looks(action: Action) -> bool:
        effects = action.effects
        return (
            bool(effects.commands)
            and not effects.changes
            and not (effects.secrets or effects.servers)
            and all(host in SYSTEM_SOCKETS for host in effects.hosts)
            and all(path == "/" or is_within_any(path, roots) for path in effects.reads)
            and all(diagnostic(command) is None for command in effects.commands)
        )

    return Rule(
        "diagnostics",
        BUILT_IN,
        Verdict.ALLOW,
        Match(tools=("shell_exec",), condition=looks),
        "a read-only look at this host: no writes, no network, in the sandbox",
        risk=Risk.LOW,
    )


def destructive_commands() -> Rule:
    """Deny what destroys data or stops the machine, for everybody, until config drops this rule."""
    return Rule(
        "destructive-commands",
        BUILT_IN,
        Verdict.DENY,
        Match(commands=DESTRUCTIVE),
        "it destroys data or stops the machine",
    )


def autonomous(roles: tuple[str, ...]) -> Rule:
    """Let runs that asked for it go without approvals, for roles that hold the permission; critical still asks."""
    return Rule(
        "autonomous",
        BUILT_IN,
        Verdict.ALLOW,
        Match(
            roles=roles or ("",),
            max_risk=Risk.HIGH,
            condition=lambda action: action.run.autonomous,
        ),
        "this run is autonomous: approvals are off, everything else is on",
        over_ask=True,
    )


OPTIONAL = ("diagnostics", "destructive-commands")
_RULINGS = ("digest", "state", "inputs", "effects", "risk", "secret", "edits")
RESERVED = frozenset(
    (
        *OPTIONAL,
        *(rule.id for rule in floor(())),
        autonomous(()).id,
        "default-deny",
        *(f"approval-{name}" for name in _RULINGS),
    )
)
"""Ids of rules that somebody else writes down, so that no rule of a config is taken for them."""
