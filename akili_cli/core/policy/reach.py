"""Which rules could ever speak: what the tools of this version can do, and who exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.risk import Risk

ACTING = frozenset({"writes", "deletes", "commands", "hosts", "nodes", "channels"})
PATHS = frozenset({"reads", "writes", "deletes"})


@dataclass(frozen=True, slots=True)
class ToolReach:
    """What a tool could declare: ``kinds`` of effects, and whether a call of it may be ``opaque``."""

    name: str
    permission: str
    risk: Risk
    kinds: frozenset[str]
    opaque: bool = False

    @property
    def highest_alone(self) -> Risk:
        """The highest level a call may count as with no outside text in context: one that cannot be undone."""
        grave = self.opaque or bool(self.kinds & {"writes", "deletes", "nodes"})
        return max(self.risk, Risk.HIGH) if grave else self.risk

    @property
    def highest(self) -> Risk:
        """The highest level a call may count as, with outside text in context."""
        return self.highest_alone.raised() if self.opaque or self.kinds & ACTING else self.highest_alone


@dataclass(frozen=True, slots=True)
class World:
    """The tools of this version, the roles with where each was written, and who has which.

    ``unbound`` are capability policies that bind nobody, ``empty`` those that hold no restriction, with where each
    was written. ``skills`` are the runbooks there are, None when nobody looked.
    """

    tools: tuple[ToolReach, ...]
    user_roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str | None = None
    roles: Mapping[str, Origin] = field(default_factory=dict)
    unbound: Mapping[str, Origin] = field(default_factory=dict)
    empty: Mapping[str, Origin] = field(default_factory=dict)
    skills: frozenset[str] | None = None

    def role_of(self, user: str) -> str | None:
        """Give a user's role."""
        return self.user_roles.get(user, self.default_role)

    def is_held(self, role: str) -> bool:
        """Tell whether anybody has a role."""
        return role == self.default_role or role in self.user_roles.values()


def why_never(rule: Rule, world: World, lowest: Risk = Risk.LOW) -> str | None:
    """Say why a rule can never match any call, or give None when it might.

    ``lowest`` is the lowest level to which any rule lowers a risk.
    """
    match = rule.match
    return _nobody(match, world) or _nothing(match) or _no_tool(rule, world, lowest)


def fitting(rule: Rule, world: World, lowest: Risk = Risk.LOW) -> tuple[ToolReach, ...]:
    """Give the tools that can do what a rule names, at its risk, with effects that are known."""
    return tuple(
        tool
        for tool in world.tools
        if _is_named(rule.match, tool) and _does(rule.match, tool) and _has_risk(rule.match, tool, lowest)
    )


def only_planned(match: Match, world: World) -> bool:
    """Tell whether a rule names only tools or permissions that this version does not have yet."""
    tools, permissions = {tool.name for tool in world.tools}, {tool.permission for tool in world.tools}
    return (bool(match.tools) and tools.isdisjoint(match.tools)) or (
        bool(match.permissions) and permissions.isdisjoint(match.permissions)
    )


def _nobody(match: Match, world: World) -> str | None:
    if match.roles and not any(world.is_held(role) for role in match.roles):
        return f"nobody has the role {' or '.join(match.roles)}"
    if match.users and match.roles and not any(world.role_of(user) in match.roles for user in match.users):
        return f"none of its users has the role {' or '.join(match.roles)}"
    idle = [name for name in match.principals if name in world.roles and name not in world.user_roles]
    if match.principals and len(idle) == len(match.principals) and not any(map(world.is_held, idle)):
        return f"it is bound to nobody: nobody has the role {' or '.join(idle)}"
    return None


def _nothing(match: Match) -> str | None:
    if match.min_risk is not None and match.max_risk is not None and match.min_risk > match.max_risk:
        return "its min_risk is above its max_risk"
    if match.unless_paths is not None and "/" in match.unless_paths:
        return "it allows every path: / is in the list"
    both = set(match.tools) & set(match.unless_tools or ())
    if match.tools and both == set(match.tools):
        return "its tools are exactly those it leaves out"
    return None


def _no_tool(rule: Rule, world: World, lowest: Risk) -> str | None:
    named = [tool for tool in world.tools if _is_named(rule.match, tool)]
    if not named:
        return "no tool fits both its tools and its permissions"
    able = [tool for tool in named if _is_able(rule, tool)]
    names = " or ".join(tool.name for tool in named[:3])
    if not able:
        return f"{names} never does what it names"
    if not any(_has_risk(rule.match, tool, lowest) for tool in able):
        return f"{names} never has that risk"
    return None


def _is_named(match: Match, tool: ToolReach) -> bool:
    return (
        (not match.tools or tool.name in match.tools)
        and (not match.permissions or tool.permission in match.permissions)
        and (match.unless_tools is None or tool.name not in match.unless_tools)
        and (match.unless_permissions is None or tool.permission not in match.unless_permissions)
    )


def _is_able(rule: Rule, tool: ToolReach) -> bool:
    return (tool.opaque and rule.verdict is not Verdict.ALLOW) or _does(rule.match, tool)


def _does(match: Match, tool: ToolReach) -> bool:
    needed = [
        (match.effects, frozenset(match.effects)),
        (match.paths or match.unless_paths is not None, PATHS),
        (match.reads, frozenset({"reads"})),
        (match.writes, frozenset({"writes"})),
        (match.deletes, frozenset({"deletes"})),
        (match.commands or match.unless_commands is not None, frozenset({"commands"})),
        (match.domains or match.unless_domains is not None, frozenset({"hosts"})),
        (match.nodes, frozenset({"nodes"})),
    ]
    return all(tool.kinds & kinds for wanted, kinds in needed if wanted)


def _has_risk(match: Match, tool: ToolReach, lowest: Risk) -> bool:
    return (match.min_risk is None or tool.highest >= match.min_risk) and (
        match.max_risk is None or min(tool.risk, lowest) <= match.max_risk
    )
