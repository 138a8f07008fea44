"""Roles, capability policies and rules as config writes them; policy compiles all three into one list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

RiskName = Literal["low", "medium", "high", "critical"]
SourceName = Literal["cli", "repl", "http", "cron", "heartbeat", "alert"]
EffectName = Literal["reads", "writes", "deletes", "commands", "hosts", "channels"]
DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BuiltinRule = Literal["diagnostics", "destructive-commands"]
Word = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Words = tuple[Word, ...]


class RoleSettings(BaseModel):
    """``security.roles.<name>``: what its users may ask for, and from which risk on a human decides."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    permissions: Words = Field((), strict=False, description="permission names; nothing else is possible")
    max_risk_level: RiskName = Field(description="above it a call needs approval")
    require_approval: Words = Field((), strict=False, description="permissions or tools that always need approval")


class CapabilityPolicy(BaseModel):
    """One capability policy: ``denied_*`` always denies; a non-empty ``allowed_*`` denies everything else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    allowed_tools: Words = Field((), strict=False)
    denied_tools: Words = Field((), strict=False)
    allowed_paths: Words = Field((), strict=False)
    denied_paths: Words = Field((), strict=False)
    allowed_domains: Words = Field((), strict=False)
    denied_domains: Words = Field((), strict=False)
    allowed_commands: Words = Field((), strict=False)
    denied_commands: Words = Field((), strict=False)
    allowed_skills: Words = Field((), strict=False)
    denied_skills: Words = Field((), strict=False)
    max_risk_level: RiskName | None = Field(None, description="above it a call is denied")
    require_approval: Words = Field((), strict=False, description="tools that need approval")


class NamedPolicy(CapabilityPolicy):
    """A capability policy of the list form, which carries its own name."""

    name: Word


class RuleHours(BaseModel):
    """A span of the day; one that ends before it begins goes over midnight and belongs to the day it began on."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    days: tuple[DayName, ...] = Field(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), strict=False, description="mon to sun; all when left out"
    )
    start: Word = Field(alias="from", description="like 22:00")
    end: Word = Field(alias="to", description="like 06:00, not included; 24:00 is midnight")
    timezone: Word = Field(description="like Europe/Berlin, or UTC")


class RuleMatch(BaseModel):
    """When a rule speaks: every key that is set must match; within a list one entry is enough."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tools: Words = Field((), strict=False)
    permissions: Words = Field((), strict=False)
    users: Words = Field((), strict=False)
    roles: Words = Field((), strict=False)
    agents: Words = Field((), strict=False)
    sources: tuple[SourceName, ...] = Field((), strict=False)
    effects: tuple[EffectName, ...] = Field((), strict=False, description="any of these is present")
    paths: Words = Field((), strict=False, description="whatever is done with them")
    reads: Words = Field((), strict=False)
    writes: Words = Field((), strict=False)
    deletes: Words = Field((), strict=False)
    commands: Words = Field((), strict=False, description="a program, or a program and leading arguments")
    domains: Words = Field((), strict=False, description="name, *.name, either with :port")
    min_risk: RiskName | None = None
    max_risk: RiskName | None = None
    hours: RuleHours | None = None


class RuleExample(BaseModel):
    """A call that a rule must match, or with ``matches: false`` must not; checked at load.

    Who asks is, when left out, somebody the rule means. ``at`` is needed by rules with hours.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tool: Word
    arguments: dict[str, object] = Field(default_factory=dict, alias="with")
    user: Word | None = None
    agent: Word | None = None
    source: SourceName | None = None
    at: Word | None = Field(None, description="like 2026-02-17T23:30+01:00")
    untrusted: bool = Field(False, description="outside text is in context")
    matches: bool = True


class RuleSettings(BaseModel):
    """``policies.rules[]``: one rule. ``risk``, on an allow rule, lowers the risk of what it matches."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: RuleId
    match: RuleMatch
    verdict: Literal["allow", "ask", "deny"]
    because: Word
    risk: RiskName | None = None
    examples: tuple[RuleExample, ...] = Field((), strict=False)


class PoliciesSettings(BaseModel):
    """``policies``: capability policies as a map or as a list, who they bind, and free rules."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    capabilities: dict[Word, CapabilityPolicy] = Field(default_factory=dict)
    policies: tuple[NamedPolicy, ...] = Field((), strict=False, description="the list form of capabilities")
    bindings: dict[Word, Word] = Field(default_factory=dict, description="agent id, role or user id to policy")
    rules: tuple[RuleSettings, ...] = Field((), strict=False)
    builtin: tuple[BuiltinRule, ...] = Field(
        ("diagnostics", "destructive-commands"), strict=False, description="built-in rules to keep"
    )

    @property
    def named(self) -> Mapping[str, CapabilityPolicy]:
        """Give the capability policies by name, whichever form they were written in."""
        return {**self.capabilities, **{policy.name: policy for policy in self.policies}}
