"""Which files an approval depends on, and whether they are still as they were when a human looked."""

from __future__ import annotations

from collections.abc import Mapping

from akili_cli.adapters.files.digest import file_digest
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.calls import canonical_json
from akili_cli.domain.effects import Effects
from akili_cli.domain.paths import is_within_any

MAX_INPUTS = 100
MAX_NAMED = 5
_MOVING = frozenset({"/proc", "/sys", "/dev", "/run", "/var/log"})
_SYSTEM = frozenset({"/usr", "/bin", "/sbin", "/lib", "/lib64"})


def inputs_of(effects: Effects) -> dict[str, str]:
    """Give path -> digest for what an action reads, overwrites, deletes or runs, but for what moves by itself.

    Programs of the system itself are left out: whoever can change them needs no approval of ours.
    """
    programs = tuple(command.path for command in effects.commands if command.path is not None)
    paths = dict.fromkeys((*effects.writes, *effects.deletes, *programs, *effects.reads))
    still = [path for path in paths if not is_within_any(path, _MOVING) and not is_within_any(path, _SYSTEM)]
    return {path: file_digest(path) for path in still[:MAX_INPUTS]}


def drifted(inputs: Mapping[str, str], redactor: Redactor | None = None) -> tuple[str, ...]:
    """Give the paths that are no longer as they were; with a redactor they are unsealed to be looked at."""
    changed = []
    for path, digest in inputs.items():
        exact = str(redactor.unseal(path)) if redactor is not None else path
        if file_digest(exact) != digest:
            changed.append(path)
    return tuple(changed)


def changed_effects(asked: Mapping[str, object], now: Mapping[str, object]) -> str | None:
    """Name what a call would do now and would not have done when it was asked for, or the other way; None if equal.

    That it can be undone by now is no such change; that it cannot any more is one.
    """
    if asked.get("reversible", True) and not now.get("reversible", True):
        return "it cannot be undone any more"
    for kind in sorted((set(asked) | set(now)) - {"reversible"}):
        before, after = asked.get(kind), now.get(kind)
        if canonical_json(before) != canonical_json(after):
            return f"{kind} {_named(after)} instead of {_named(before)}"
    return None


def _named(values: object) -> str:
    if not isinstance(values, list):
        return str(values or "none")
    return ", ".join(" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in values[:MAX_NAMED])
