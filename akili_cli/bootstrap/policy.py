"""From settings to the rule set: resolves paths, keeps where each line was written, compiles everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from akili_cli.bootstrap.examples import broken_examples
from akili_cli.bootstrap.rehearsal import reach_of, rehearsal_tools, tools_in
from akili_cli.bootstrap.rulings import Judge
from akili_cli.config.entries import PERMISSIONS
from akili_cli.config.lines import Loaded, render_path
from akili_cli.config.policies import CapabilityPolicy, PoliciesSettings, RuleHours, RuleSettings
from akili_cli.core.approvals.approvers import APPROVE_PERMISSION, Power, PowerOf
from akili_cli.core.policy.compile import CapabilitySpec, PolicySpec, RoleSpec, ToolRoots, compile_rules
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.hours import Hours, minutes_of
from akili_cli.core.policy.lint import refusals
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import World
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.risk import parse_risk

ADMIN = "admin"
"""The role that may change what belongs to others."""

_LISTS = tuple(
    f"{side}_{kind}" for kind in ("tools", "paths", "domains", "commands", "skills") for side in ("allowed", "denied")
)


def build_rules(loaded: Loaded, *, cwd: Path, home: Path, protected: tuple[str, ...]) -> RuleSet:
    """Compile a configuration's whole policy.

    Raises ``ConfigError`` for a pattern that cannot be read, for a restriction that could never restrict anything,
    and for an example that does not match as its rule claims.
    """
    rules = compiled(loaded, cwd=cwd, home=home, protected=protected)
    policies, of = loaded.settings.policies, loaded.origins.of
    if not (policies.rules or policies.named):
        return rules
    tools = rehearsal_tools(loaded.settings, tool_roots(loaded, cwd=cwd, home=home), home=str(home), cwd=str(cwd))
    world = world_of(loaded, tools)
    judge = Judge(tools, rules, role_finder(loaded), SystemClock().now, world)
    found = (*refusals(rules.rules, world), *broken_examples(policies.rules, loaded.settings.security, judge, of))
    wrong = [f"{one.origin}: rule {one.rule_id}: {one.what}" for one in found]
    if wrong:
        head = "" if len(wrong) == 1 else f"{len(wrong)} problems in the policy\n"
        raise ConfigError(head + "\n".join(wrong), hint="`akili policy lint` shows all of it")
    return rules


def world_of(loaded: Loaded, tools: ToolBox) -> World:
    """Give what the tools can do and who has which role."""
    security, policies, of = loaded.settings.security, loaded.settings.policies, loaded.origins.of
    bound = set(policies.bindings.values())
    return World(
        tools=reach_of(tools_in(tools)),
        user_roles=security.user_roles,
        default_role=security.default_role,
        roles={name: of(f"security.roles.{name}") for name in security.roles},
        unbound={name: of(_capability_path(policies, name)) for name in policies.named if name not in bound},
        empty={name: of(_capability_path(policies, name)) for name, one in policies.named.items() if _is_empty(one)},
    )


def _is_empty(policy: CapabilityPolicy) -> bool:
    lists = any(getattr(policy, key) for key in (*_LISTS, "require_approval"))
    return not lists and policy.max_risk_level in (None, "critical")


def compiled(loaded: Loaded, *, cwd: Path, home: Path, protected: tuple[str, ...]) -> RuleSet:
    """Compile without asking whether the rules make sense; raises ``ConfigError`` for one that cannot be read."""
    settings, of = loaded.settings, loaded.origins.of
    place = _Places(cwd, home)
    policies = settings.policies
    roles = tuple(
        RoleSpec(
            name,
            role.permissions,
            parse_risk(role.max_risk_level),
            tuple(one for one in role.require_approval if one in PERMISSIONS or one.startswith("mcp__")),
            tuple(one for one in role.require_approval if one not in PERMISSIONS),
            _origins(of, f"security.roles.{name}", ("permissions", "max_risk_level", "require_approval")),
        )
        for name, role in settings.security.roles.items()
    )
    capabilities = tuple(
        _capability(name, policy, _bound_to(name, policies.bindings), place, of, _capability_path(policies, name))
        for name, policy in policies.named.items()
    )
    spec = PolicySpec(
        roles=roles,
        capabilities=capabilities,
        rules=tuple(_rule(index, rule, place, of) for index, rule in enumerate(policies.rules)),
        tool_roots=tool_roots(loaded, cwd=cwd, home=home),
        optional=policies.builtin,
        protected=protected,
    )
    try:
        return RuleSet(compile_rules(spec))
    except ValueError as error:
        raise ConfigError(f"policy cannot be used: {error}") from error


def tool_roots(loaded: Loaded, *, cwd: Path, home: Path) -> ToolRoots:
    """Resolve the tools' own allow-lists."""
    tools, of, place = loaded.settings.tools, loaded.origins.of, _Places(cwd, home)
    names = ("file.allowed_paths", "git.allowed_paths", "web.allowed_domains")
    return ToolRoots(
        files=place.resolve(tools.file.allowed_paths),
        repositories=place.resolve(tools.git.allowed_paths),
        domains=tools.web.allowed_domains,
        origins={name: of(f"tools.{name}") for name in names},
    )


def role_finder(loaded: Loaded) -> Callable[[Principal], str | None]:
    """Give the function from a principal to its role; None when there is none."""
    security = loaded.settings.security
    return lambda principal: security.user_roles.get(principal.user, security.default_role)


class _Places:
    """Resolves paths of the configuration the way effects are resolved: absolute, symlinks followed."""

    def __init__(self, cwd: Path, home: Path) -> None:
        self._cwd = cwd
        self._home = home

    def resolve(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(self._one(path)) for path in paths))

    def _one(self, path: str) -> Path:
        if path == "~" or path.startswith("~/"):
            return (self._home / path[2:]).resolve()
        return (self._cwd / path).resolve()


Of = Callable[[str], Origin]


def _origins(of: Of, prefix: str, names: tuple[str, ...]) -> Mapping[str, Origin]:
    return {name: of(f"{prefix}.{name}") for name in names}


def _capability_path(policies: PoliciesSettings, name: str) -> str:
    listed = [policy.name for policy in policies.policies]
    if name in listed:
        return f"policies.policies[{listed.index(name)}]"
    return f"policies.{render_path(('capabilities', name))}"


def _bound_to(name: str, bindings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(who for who, policy in bindings.items() if policy == name)


def _capability(
    name: str, policy: CapabilityPolicy, bound_to: tuple[str, ...], place: _Places, of: Of, path: str
) -> CapabilitySpec:
    lists = {key: getattr(policy, key) for key in _LISTS}
    for key in ("allowed_paths", "denied_paths"):
        lists[key] = place.resolve(lists[key])
    return CapabilitySpec(
        name,
        bound_to,
        {**lists, "require_approval": policy.require_approval},
        None if policy.max_risk_level is None else parse_risk(policy.max_risk_level),
        _origins(of, path, (*_LISTS, "max_risk_level", "require_approval")),
    )


def _rule(index: int, rule: RuleSettings, place: _Places, of: Of) -> Rule:
    match = rule.match
    return Rule(
        rule.id,
        of(f"policies.rules[{index}]"),
        Verdict(rule.verdict),
        Match(
            tools=match.tools,
            permissions=match.permissions,
            users=match.users,
            roles=match.roles,
            agents=match.agents,
            sources=match.sources,
            effects=match.effects,
            paths=place.resolve(match.paths),
            reads=place.resolve(match.reads),
            writes=place.resolve(match.writes),
            deletes=place.resolve(match.deletes),
            commands=match.commands,
            domains=match.domains,
            min_risk=None if match.min_risk is None else parse_risk(match.min_risk),
            max_risk=None if match.max_risk is None else parse_risk(match.max_risk),
            hours=None if match.hours is None else _hours(match.hours),
        ),
        rule.because,
        risk=None if rule.risk is None else parse_risk(rule.risk),
    )


def _hours(hours: RuleHours) -> Hours:
    return Hours(hours.days, minutes_of(hours.start), minutes_of(hours.end), hours.timezone)


def permissions_finder(loaded: Loaded) -> Callable[[Principal], frozenset[str]]:
    """Give the function from a principal to what its role holds; nothing without a role."""
    roles, role_of = loaded.settings.security.roles, role_finder(loaded)

    def permissions(principal: Principal) -> frozenset[str]:
        role = roles.get(role_of(principal) or "")
        return frozenset(() if role is None else role.permissions)

    return permissions


def admin_finder(loaded: Loaded) -> Callable[[Principal], bool]:
    """Give the function that tells whether a principal may change what belongs to others."""
    role_of = role_finder(loaded)
    return lambda principal: role_of(principal) == ADMIN


def power_finder(loaded: Loaded) -> PowerOf:
    """Give the function from a principal to what it may rule on from elsewhere than the terminal."""
    roles, role_of = loaded.settings.security.roles, role_finder(loaded)

    def power(principal: Principal) -> Power:
        name = role_of(principal)
        role = roles.get(name or "")
        if role is None:
            return Power(name)
        highest = parse_risk(role.max_risk_level) if APPROVE_PERMISSION in role.permissions else None
        return Power(name, highest, name == ADMIN)

    return power
