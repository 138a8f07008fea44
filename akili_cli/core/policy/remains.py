"""What an allow-list leaves once other rules took their part: entries that are denied anyway, lists that share none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from akili_cli.core.policy.cover import command_covers, covers, domain_covers
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import World
from akili_cli.domain.decisions import Verdict
from akili_cli.domain.paths import is_within

_KINDS = ("tools", "paths", "domains", "commands", "skills")
_MAX_NAMED = 3
_Test = Callable[[str, str], bool]
_WIDER: dict[str, _Test] = {"paths": lambda wide, narrow: is_within(narrow, wide), "domains": domain_covers}
_WIDER |= {"commands": command_covers}


def denied_anyway(rule: Rule, rules: tuple[Rule, ...]) -> Iterator[str]:
    """Say which entries of a rule's allow-lists another deny rule denies whole, and by which."""
    for kind, allowed in _lists(rule.match):
        for other in rules:
            if other is rule or other.verdict is not Verdict.DENY:
                continue
            lost = [entry for entry in allowed if covers(other.match, _only(rule.match, kind, entry))]
            if lost:
                named = ", ".join(lost[:_MAX_NAMED]) + (" and more" if len(lost) > _MAX_NAMED else "")
                nothing = "nothing is left of its list: " if len(lost) == len(allowed) else ""
                yield f"{nothing}{named} is denied by {other.id} ({other.origin})"


def nothing_shared(rule: Rule, earlier: tuple[Rule, ...], world: World) -> Iterator[str]:
    """Say with which other allow-list for the same people a rule's list has no entry in common."""
    for kind, allowed in _lists(rule.match):
        for other in earlier:
            theirs = getattr(other.match, f"unless_{kind}")
            if other.verdict is not Verdict.DENY or not theirs or _meet(kind, allowed, theirs):
                continue
            who = _both(rule.match, other.match, world)
            if who is not None:
                yield f"nothing is left for {who}: no entry is also allowed by {other.id} ({other.origin})"


def _lists(match: Match) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in _KINDS:
        allowed = getattr(match, f"unless_{kind}")
        if allowed:
            yield kind, allowed


def _only(match: Match, kind: str, entry: str) -> Match:
    """Give the calls of a rule's people that its list lets through by one entry."""
    return Match(
        users=match.users,
        roles=match.roles,
        agents=match.agents,
        principals=match.principals,
        **{kind: (entry,)},  # type: ignore[arg-type]  # a list field
    )


def _meet(kind: str, some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    wider = _WIDER.get(kind, str.__eq__)
    return any(wider(one, other) or wider(other, one) for one in some for other in others)


def _both(one: Match, other: Match, world: World) -> str | None:
    """Name somebody whom both rules mean through what they are bound to."""
    if not one.principals or not other.principals:
        return None
    same = set(one.principals) & set(other.principals)
    if same:
        return min(same)
    for user in (*world.user_roles, *sorted({*one.principals, *other.principals} - set(world.roles))):
        names = {user, world.role_of(user)}
        if names & set(one.principals) and names & set(other.principals):
            return user
    return None
