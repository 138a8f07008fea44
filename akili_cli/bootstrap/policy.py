"""From settings to the rule set: resolves paths, keeps where each line was written, compiles everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from akili_cli.config.lines import Loaded
from akili_cli.config.policies import CapabilityPolicy, RuleSettings
from akili_cli.core.policy.compile import CapabilitySpec, PolicySpec, RoleSpec, ToolRoots, compile_rules
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.risk import parse_risk

_LISTS = tuple(
    f"{side}_{kind}" for kind in ("tools", "paths", "domains", "commands", "skills") for side in ("allowed", "denied")
)


def build_rules(loaded: Loaded, *, cwd: Path, home: Path, protected: tuple[str, ...]) -> RuleSet:
    """Compile a configuration's whole policy; raises ``ConfigError`` for a pattern that cannot be read."""
    settings, of = loaded.settings, loaded.origins.of
    place = _Places(cwd, home)
    policies = settings.policies
    roles = tuple(
        RoleSpec(
            name,
            role.permissions,
            parse_risk(role.max_risk_level),
            role.require_approval,
            _origins(of, f"security.roles.{name}", ("permissions", "max_risk_level", "require_approval")),
        )
        for name, role in settings.security.roles.items()
    )
    capabilities = tuple(
        _capability(name, policy, _bound_to(name, policies.bindings), place, of)
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


def _bound_to(name: str, bindings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(who for who, policy in bindings.items() if policy == name)


def _capability(
    name: str, policy: CapabilityPolicy, bound_to: tuple[str, ...], place: _Places, of: Of
) -> CapabilitySpec:
    lists = {key: getattr(policy, key) for key in _LISTS}
    for key in ("allowed_paths", "denied_paths"):
        lists[key] = place.resolve(lists[key])
    return CapabilitySpec(
        name,
        bound_to,
        {**lists, "require_approval": policy.require_approval},
        None if policy.max_risk_level is None else parse_risk(policy.max_risk_level),
        _origins(of, f"policies.capabilities.{name}", (*_LISTS, "max_risk_level", "require_approval")),
    )


def _rule(index: int, rule: RuleSettings, place: _Places, of: Of) -> Rule:
    match = rule.match
    return Rule(
        rule.id,
        of(f"policies.rules.{index}"),
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
            nodes=match.nodes,
            min_risk=None if match.min_risk is None else parse_risk(match.min_risk),
            max_risk=None if match.max_risk is None else parse_risk(match.max_risk),
        ),
        rule.because,
        risk=None if rule.risk is None else parse_risk(rule.risk),
    )
