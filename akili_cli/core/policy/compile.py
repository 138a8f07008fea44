"""Both seed shapes of policy (roles; capabilities and bindings) and our own rules become one list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from akili_cli.core.policy import builtin
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Origin, Verdict
from akili_cli.domain.risk import Risk


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role of ``security.roles``; ``origins`` maps each field to where it was written.

    ``require_approval`` names permissions, ``require_approval_tools`` tools.
    """

    name: str
    permissions: tuple[str, ...]
    max_risk_level: Risk
    require_approval: tuple[str, ...] = ()
    require_approval_tools: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CapabilitySpec:
    """A capability policy with those it is bound to (user ids, role names, agent ids).

    An ``allowed_*`` list that is None or empty restricts nothing.
    """

    name: str
    bound_to: tuple[str, ...]
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_risk_level: Risk | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolRoots:
    """The allow-lists of the tools' own settings; empty means nothing at all."""

    files: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """All of a config's policy, paths already resolved."""

    roles: tuple[RoleSpec, ...] = ()
    capabilities: tuple[CapabilitySpec, ...] = ()
    rules: tuple[Rule, ...] = ()
    tool_roots: ToolRoots = ToolRoots()
    optional: tuple[str, ...] = builtin.OPTIONAL
    protected: tuple[str, ...] = ()


def compile_rules(spec: PolicySpec) -> tuple[Rule, ...]:
    """Give every rule in force."""
    rules = [*builtin.floor(spec.protected)]
    if "diagnostics" in spec.optional:
        rules.append(builtin.diagnostics(spec.tool_roots.files))
    if "destructive-commands" in spec.optional:
        rules.append(builtin.destructive_commands())
    holders = tuple(r.name for r in spec.roles if builtin.AUTONOMOUS_PERMISSION in r.permissions)
    rules.append(builtin.autonomous(holders))
    for role in spec.roles:
        rules.extend(_role_rules(role))
    for capability in spec.capabilities:
        rules.extend(_capability_rules(capability))
    rules.extend(_tool_rules(spec.tool_roots))
    rules.extend(spec.rules)
    return tuple(rules)


def _role_rules(role: RoleSpec) -> Iterable[Rule]:
    def rule(name: str, verdict: Verdict, match: Match, because: str) -> Rule:
        return Rule(f"role:{role.name}/{name}", role.origins.get(name, BUILT_IN), verdict, match, because)

    me = (role.name,)
    if role.permissions:
        granted = Match(roles=me, permissions=role.permissions)
        yield rule("permissions", Verdict.ALLOW, granted, f"role {role.name} holds the permission")
    yield Rule(
        f"role:{role.name}/not-permitted",
        role.origins.get("permissions", BUILT_IN),
        Verdict.DENY,
        Match(roles=me, unless_permissions=role.permissions),
        f"role {role.name} does not hold the permission",
    )
    if role.max_risk_level < Risk.CRITICAL:
        above = Match(roles=me, min_risk=role.max_risk_level.raised())
        because = f"role {role.name} needs approval above {role.max_risk_level} risk"
        yield rule("max_risk_level", Verdict.ASK, above, because)
    because = f"role {role.name} needs approval for it"
    origin = role.origins.get("require_approval", BUILT_IN)
    for name, match in (
        ("require_approval", Match(roles=me, permissions=role.require_approval)),
        ("require_approval-tools", Match(roles=me, tools=role.require_approval_tools)),
    ):
        if match.permissions or match.tools:
            yield Rule(f"role:{role.name}/{name}", origin, Verdict.ASK, match, because)


_DENIED = {
    "denied_tools": "tools",
    "denied_paths": "paths",
    "denied_domains": "domains",
    "denied_commands": "commands",
    "denied_skills": "skills",
}
_ALLOWED = {
    "allowed_tools": "unless_tools",
    "allowed_paths": "unless_paths",
    "allowed_domains": "unless_domains",
    "allowed_commands": "unless_commands",
    "allowed_skills": "unless_skills",
}


def _capability_rules(capability: CapabilitySpec) -> Iterable[Rule]:
    def rule(name: str, verdict: Verdict, match: Match, because: str) -> Rule:
        origin = capability.origins.get(name, BUILT_IN)
        return Rule(f"capability:{capability.name}/{name}", origin, verdict, match, because)

    bound = capability.bound_to
    if not bound:
        return
    for name, field_name in (_DENIED | _ALLOWED).items():
        entries = capability.lists.get(name, ())
        if entries:
            what = "is denied" if name in _DENIED else "is not in the allowed list"
            match = Match(principals=bound, **{field_name: entries})  # type: ignore[arg-type]  # a list field
            because = f"{name.partition('_')[2].removesuffix('s')} {what} by capability policy {capability.name}"
            yield rule(name, Verdict.DENY, match, because)
    if capability.max_risk_level is not None and capability.max_risk_level < Risk.CRITICAL:
        above = Match(principals=bound, min_risk=capability.max_risk_level.raised())
        because = f"capability policy {capability.name} permits {capability.max_risk_level} risk at most"
        yield rule("max_risk_level", Verdict.DENY, above, because)
    asked = capability.lists.get("require_approval", ())
    if asked:
        because = f"capability policy {capability.name} needs approval for it"
        yield rule("require_approval", Verdict.ASK, Match(principals=bound, tools=asked), because)


def _tool_rules(roots: ToolRoots) -> Iterable[Rule]:
    def rule(name: str, match: Match, because: str) -> Rule:
        return Rule(f"tools.{name}", roots.origins.get(name, BUILT_IN), Verdict.DENY, match, because)

    yield rule(
        "file.allowed_paths",
        Match(tools=("file_read", "file_write", "file_restore"), unless_paths=roots.files),
        "the path is not in tools.file.allowed_paths",
    )
    yield rule(
        "git.allowed_paths",
        Match(tools=("git_read", "git_write", "git_restore"), unless_paths=roots.repositories),
        "the repository is not in tools.git.allowed_paths",
    )
    yield rule(
        "web.allowed_domains",
        Match(tools=("web_fetch", "endpoint_check"), unless_domains=roots.domains),
        "the host is not in tools.web.allowed_domains",
    )
