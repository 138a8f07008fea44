"""Whether one rule speaks to every call that another one speaks to."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from akili_cli.core.policy.match import in_order, options_of
from akili_cli.core.policy.model import Match
from akili_cli.domain.hosts import host_name, split_host
from akili_cli.domain.paths import is_within_any
from akili_cli.domain.risk import Risk

_NAMES = ("tools", "permissions", "users", "roles", "agents", "principals", "sources", "nodes", "skills")
_UNLESS = (
    "unless_tools",
    "unless_permissions",
    "unless_paths",
    "unless_commands",
    "unless_domains",
    "unless_skills",
)
_PATHS = ("reads", "writes", "deletes")


def covers(wide: Match, narrow: Match) -> bool:
    """Tell whether ``wide``, as a deny or ask rule, certainly matches every call that ``narrow`` matches.

    False may also mean that it cannot be told.
    """
    return (
        wide.condition is None
        and all(_is_subset(getattr(narrow, name), getattr(wide, name)) for name in _NAMES)
        and all(_leaves_less(getattr(wide, name), getattr(narrow, name)) for name in _UNLESS)
        and (wide.hours is None or wide.hours == narrow.hours)
        and (wide.min_risk is None or (narrow.min_risk or Risk.LOW) >= wide.min_risk)
        and (wide.max_risk is None or (narrow.max_risk or Risk.CRITICAL) <= wide.max_risk)
        and _effects(wide, narrow)
    )


def _is_subset(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _leaves_less(wide: tuple[str, ...] | None, narrow: tuple[str, ...] | None) -> bool:
    return wide is None or (narrow is not None and set(wide) <= set(narrow))


def _effects(wide: Match, narrow: Match) -> bool:
    kinds = set(narrow.effects) or {kind for kind in _PATHS if getattr(narrow, kind)}
    if wide.effects and not (kinds and kinds <= set(wide.effects)):
        return False
    for kind in _PATHS:
        if getattr(wide, kind) and not _are_within(getattr(narrow, kind), getattr(wide, kind)):
            return False
    if wide.paths and not any(_are_within(roots, wide.paths) for roots in _path_lists(narrow)):
        return False
    return _each(narrow.commands, wide.commands, command_covers) and _each(narrow.domains, wide.domains, domain_covers)


def _path_lists(match: Match) -> Iterable[tuple[str, ...]]:
    return (match.paths, match.reads, match.writes, match.deletes)


def _are_within(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    return bool(narrow) and all(is_within_any(path, frozenset(wide)) for path in narrow)


def _each(narrow: tuple[str, ...], wide: tuple[str, ...], test: object) -> bool:
    assert callable(test)
    return not wide or (bool(narrow) and all(any(test(w, n) for w in wide) for n in narrow))


def command_covers(wide: str, narrow: str) -> bool:
    """Tell whether a deny of the pattern ``wide`` means every command that ``narrow`` means."""
    (program, *rest), (other, *more) = shlex.split(wide), shlex.split(narrow)
    if program not in (other, other.rsplit("/", 1)[-1]):
        return False
    have = frozenset().union(*(options_of(word) for word in more)) if more else frozenset()
    want = frozenset().union(*(options_of(word) for word in rest)) if rest else frozenset()
    operands = tuple(word for word in rest if not word.startswith("-"))
    return want <= have and in_order(operands, tuple(more))


def domain_covers(wide: str, narrow: str) -> bool:
    """Tell whether the host pattern ``wide`` means every host that ``narrow`` means."""
    if wide.startswith("unix:") or narrow.startswith("unix:"):
        return wide == narrow
    (host, port), (other, other_port) = split_host(wide), split_host(narrow)
    name, given = host_name(host.removeprefix("*.")), host_name(other.removeprefix("*."))
    if name is None or given is None or (port and port != other_port):
        return False
    if not host.startswith("*."):
        return not other.startswith("*.") and name == given
    return given.endswith("." + name) or (other.startswith("*.") and given == name)
