"""What policy rules on, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from akili_cli.core.policy.hours import Hours
from akili_cli.domain.calls import Run
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk

EFFECT_KINDS = ("reads", "writes", "deletes", "commands", "hosts", "nodes", "secrets", "channels", "servers")


@dataclass(frozen=True, slots=True)
class Action:
    """One call as policy sees it: no tool objects, only what the tool declares.

    ``risk`` is the level the tool starts from. ``role`` is None when the user has none. ``at`` is when it is
    decided, in epoch seconds.
    """

    tool: str
    permission: str
    risk: Risk
    read_only: bool
    effects: Effects
    run: Run
    role: str | None
    at: float

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path the call touches in any way."""
        return self.effects.reads + self.effects.writes + self.effects.deletes


Condition = Callable[[Action], bool]


@dataclass(frozen=True, slots=True)
class Match:
    """When a rule speaks: every field that is set must match.

    Within a list one entry is enough. Over a call's effects, deny and ask rules match when *any* effect is
    meant, allow rules only when *all* are. ``principals`` match the user, the role or the agent. ``unless_*``
    turn a list into "anything not in it" (how allow-lists of capabilities and tools are enforced).
    """

    tools: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    min_risk: Risk | None = None
    max_risk: Risk | None = None
    hours: Hours | None = None
    unless_tools: tuple[str, ...] | None = None
    unless_permissions: tuple[str, ...] | None = None
    unless_paths: tuple[str, ...] | None = None
    unless_commands: tuple[str, ...] | None = None
    unless_domains: tuple[str, ...] | None = None
    unless_skills: tuple[str, ...] | None = None
    condition: Condition | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of any shape, compiled.

    ``risk``, on an allow rule, lowers where the risk of what it matches starts. ``over_ask``, on an allow rule,
    takes the place of asks for calls that another rule allows; it allows nothing by itself.
    """

    id: str
    origin: Origin
    verdict: Verdict
    match: Match
    because: str
    risk: Risk | None = None
    over_ask: bool = False
