"""What is wrong with a rule set as a whole: rules that never speak, are covered by others, or contradict them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

from akili_cli.core.policy.cover import covers
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import World, fitting, only_planned, why_never
from akili_cli.core.policy.remains import denied_anyway, nothing_shared
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.nearest import nearest
from akili_cli.domain.risk import Risk

TOOL_LISTS = ("tools.file.allowed_paths", "tools.git.allowed_paths", "tools.web.allowed_domains")


class Level(enum.StrEnum):
    """An error weakens what the policy claims, so nothing starts; a warning is only worth knowing."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the place it was written."""

    level: Level
    rule_id: str
    origin: Origin
    what: str


def lint(rules: Iterable[Rule], world: World) -> tuple[Finding, ...]:
    """Give everything worth saying, errors first."""
    given = tuple(rules)
    written = tuple(rule for rule in given if _is_written(rule))
    found = [*refusals(given, world), *_idle(given, world), *_unheld(world), *_pairs(written), *_remains(given, world)]
    found += [
        Finding(Level.WARNING, f"capability:{name}", origin, "it restricts nothing: it holds no list and no lower risk")
        for name, origin in world.empty.items()
    ]
    return tuple(sorted(found, key=lambda one: (one.level is not Level.ERROR, one.origin.source, one.origin.line or 0)))


def refusals(rules: Iterable[Rule], world: World) -> tuple[Finding, ...]:
    """Give what must not start: a restriction that can never restrict anything."""
    given = tuple(rules)
    found = [
        Finding(Level.ERROR, f"capability:{name}", origin, "it is bound to nobody, so it restricts nothing")
        for name, origin in world.unbound.items()
    ]
    for rule, why in _never(given, world):
        if rule.verdict is not Verdict.ALLOW:
            found.append(Finding(Level.ERROR, rule.id, rule.origin, f"it can never {rule.verdict} anything: {why}"))
    return tuple(found)


def _never(rules: tuple[Rule, ...], world: World) -> Iterator[tuple[Rule, str]]:
    lowest = min([rule.risk for rule in rules if rule.risk is not None], default=Risk.CRITICAL)
    for rule in rules:
        if _is_written(rule) and not only_planned(rule.match, world):
            why = why_never(rule, world, lowest)
            if why is not None:
                yield rule, why


def _is_written(rule: Rule) -> bool:
    """Built-in rules, roles and the tools' own lists are what they are; somebody wrote the others as rules."""
    return rule.match.condition is None and not rule.id.startswith("role:") and rule.id not in TOOL_LISTS


def _idle(rules: tuple[Rule, ...], world: World) -> Iterator[Finding]:
    for rule, why in _never(rules, world):
        if rule.verdict is Verdict.ALLOW:
            yield Finding(Level.WARNING, rule.id, rule.origin, f"it can never allow anything: {why}")
    written = [rule for rule in rules if _is_written(rule)]
    agents = frozenset(agent for rule in written for agent in rule.match.agents)
    for rule in written:
        for what in (*_oddities(rule, world, agents), *_risks(rule, written, world)):
            yield Finding(Level.WARNING, rule.id, rule.origin, what)


def _oddities(rule: Rule, world: World, agents: frozenset[str]) -> Iterator[str]:
    if only_planned(rule.match, world):
        yield "it names only tools or permissions that this version does not have"
    for user in rule.match.users:
        if world.role_of(user) is None:
            yield f"the user {user} has no role, so everything is denied to them anyway"
    for name in rule.match.principals:
        if name not in world.roles and name not in world.user_roles and name not in agents:
            near = nearest(name, (*world.roles, *world.user_roles))
            yield (
                f"{name} is no role and is not in security.user_roles{near}"
                "; it counts for a user or an agent of that name"
            )
    for skill in (*rule.match.skills, *(rule.match.unless_skills or ())):
        if world.skills is not None and skill not in world.skills:
            yield f"there is no runbook {skill}{nearest(skill, world.skills)}"


def _risks(rule: Rule, written: list[Rule], world: World) -> Iterator[str]:
    """Say where a lowered risk does nothing, and where it takes calls from under a rule about risk."""
    if rule.risk is not None and all(tool.risk <= rule.risk for tool in fitting(rule, world)):
        yield f"its risk lowers nothing: what it allows never starts above {rule.risk}"
    low = rule.match.min_risk
    if low is None or rule.verdict is Verdict.ALLOW:
        return
    at_any_risk = replace(rule.match, min_risk=None, max_risk=None)
    for other in written:
        lowers = other.risk is not None and other.risk < low
        if lowers and covers(replace(other.match, min_risk=None, max_risk=None), at_any_risk):
            yield f"calls it means start at {other.risk} by {other.id} ({other.origin}), below its min_risk"


def _remains(rules: tuple[Rule, ...], world: World) -> Iterator[Finding]:
    """Compare the allow-lists that somebody wrote with everything that denies."""
    written = tuple(rule for rule in rules if _is_written(rule) and rule.verdict is Verdict.DENY)
    for place, rule in enumerate(written):
        for what in (*denied_anyway(rule, written), *nothing_shared(rule, written[:place], world)):
            yield Finding(Level.WARNING, rule.id, rule.origin, what)


def _unheld(world: World) -> Iterator[Finding]:
    for name, origin in world.roles.items():
        if not world.is_held(name) and origin.source != "default":
            yield Finding(Level.WARNING, f"role:{name}", origin, "nobody has this role")


def _pairs(rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """Compare every two rules: same match and other verdict, or one covered by the other."""
    for place, rule in enumerate(rules):
        for other_place, other in enumerate(rules):
            what = None if rule is other else _against(rule, other, earlier=other_place < place)
            if what is not None:
                yield Finding(Level.WARNING, rule.id, rule.origin, f"{what} {other.id} ({other.origin})")
                break


def _against(rule: Rule, other: Rule, *, earlier: bool) -> str | None:
    if _same(rule.match, other.match):
        if rule.verdict is not other.verdict:
            return f"it contradicts the {other.verdict} rule" if earlier else None
        return "it repeats" if earlier and rule.risk == other.risk else None
    stronger = {Verdict.DENY: (), Verdict.ASK: (Verdict.DENY,), Verdict.ALLOW: (Verdict.DENY,)}
    if other.verdict in stronger[rule.verdict] and covers(other.match, rule.match):
        return "it never decides: every call it means is denied by"
    if rule.verdict is other.verdict and rule.verdict is not Verdict.ALLOW and covers(other.match, rule.match):
        return "it adds nothing: every call it means is already meant by"
    return None


def _same(one: Match, other: Match) -> bool:
    return _unordered(one) == _unordered(other)


def _unordered(match: Match) -> list[object]:
    values = [getattr(match, field.name) for field in fields(match)]
    return [frozenset(value) if isinstance(value, tuple) else value for value in values]
