from __future__ import annotations

from collections.abc import Mapping

import pytest

from akili_cli.core.policy.compile import CapabilitySpec, PolicySpec, RoleSpec, ToolRoots, compile_rules
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Decision, Origin, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of

OPERATOR = RoleSpec("operator", ("shell_exec", "file_read", "web_fetch", "other"), Risk.HIGH)
ROOTS = ToolRoots(files=("/srv",), repositories=("/srv",), domains=("example.org",))


def ruled(
    act: Action, *capabilities: CapabilitySpec, roles: tuple[RoleSpec, ...] = (OPERATOR,), **more: object
) -> Decision:
    spec = PolicySpec(roles=roles, capabilities=capabilities, tool_roots=ROOTS, **more)  # type: ignore[arg-type]
    return decide(act, RuleSet(compile_rules(spec)))


def capability(lists: Mapping[str, tuple[str, ...]], *bound: str, max_risk: Risk | None = None) -> CapabilitySpec:
    return CapabilitySpec("narrow", bound or ("ann",), lists, max_risk, {name: Origin("a.yaml", 9) for name in lists})


LS = Effects(commands=(command("ls", "/srv"),), reads=("/srv",))
BLOCKED = [
    ("denied_tools", ("shell_exec",), action()),
    ("allowed_tools", ("file_read",), action()),
    ("denied_paths", ("/srv/secret",), action(effects=Effects(reads=("/srv/secret/x",)))),
    ("denied_paths", ("/srv",), action(effects=Effects(writes=("/srv/x",)))),
    ("allowed_paths", ("/srv",), action(effects=Effects(reads=("/srv/x", "/etc/hosts")))),
    ("allowed_paths", ("/tmp",), action(effects=Effects(reads=("/tmpevil/x",)))),
    ("denied_domains", ("*.evil.com",), action(effects=Effects(hosts=("a.evil.com:443",)))),
    ("allowed_domains", ("example.org",), action(effects=Effects(hosts=("example.org:443", "evil.com:443")))),
    ("denied_commands", ("curl",), action(effects=Effects(commands=(command("ls"), command("curl", "x"))))),
    ("allowed_commands", ("ls",), action(effects=Effects(commands=(command("ls"), command("lsof"))))),
    ("allowed_commands", ("git status",), action(effects=Effects(commands=(command("git", "push"),)))),
    ("denied_skills", ("disk",), action(run=run_of(skill="disk"))),
    ("allowed_skills", ("net",), action(run=run_of(skill="disk"))),
]


@pytest.mark.parametrize(("name", "entries", "act"), BLOCKED, ids=lambda v: v if isinstance(v, str) else "")
def test_every_list_of_a_capability_blocks_something(name: str, entries: tuple[str, ...], act: Action) -> None:
    assert ruled(act).verdict is Verdict.ALLOW
    decision = ruled(act, capability({name: entries}))
    assert decision.verdict is Verdict.DENY
    assert (decision.ruling.rule_id, str(decision.ruling.origin)) == (f"capability:narrow/{name}", "a.yaml:9")


@pytest.mark.parametrize("name", [name for name, _, _ in BLOCKED])
def test_an_empty_list_restricts_nothing(name: str) -> None:
    assert ruled(action(effects=LS), capability({name: ()})).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("name", "entries", "act"),
    [
        ("allowed_tools", ("shell_exec",), action()),
        ("allowed_paths", ("/srv",), action(effects=LS)),
        ("allowed_commands", ("ls",), action(effects=LS)),
        ("allowed_domains", ("*.example.org",), action(effects=Effects(hosts=("a.example.org:443",)))),
        ("allowed_skills", ("disk",), action(run=run_of(skill="disk"))),
        ("denied_paths", ("/srv/secret",), action(effects=Effects(reads=("/srv/secretary",)))),
        ("denied_commands", ("rm",), action(effects=LS)),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_a_list_names_goes_through(name: str, entries: tuple[str, ...], act: Action) -> None:
    assert ruled(act, capability({name: entries})).verdict is Verdict.ALLOW


@pytest.mark.parametrize("name", [name for name, _, _ in BLOCKED if "skills" not in name and "tools" not in name])
def test_a_call_whose_effects_are_unknown_matches_every_list(name: str) -> None:
    act = action(effects=Effects(opaque="eval"))
    ids = {hit.rule_id for hit in ruled(act, capability({name: ("/x",)})).hits}
    assert f"capability:narrow/{name}" in ids


@pytest.mark.parametrize("bound", ["ann", "operator", "bot"], ids=["user", "role", "agent"])
def test_a_capability_binds_users_roles_and_agents(bound: str) -> None:
    narrow = capability({"denied_tools": ("shell_exec",)}, bound)
    assert ruled(action(run=run_of("ann", agent="bot")), narrow).verdict is Verdict.DENY
    assert ruled(action(run=run_of("ben", agent="other"), role="operator"), narrow).verdict is (
        Verdict.DENY if bound == "operator" else Verdict.ALLOW
    )


def test_a_capability_bound_to_nobody_blocks_nobody() -> None:
    spec = CapabilitySpec("narrow", (), {"denied_tools": ("shell_exec",)})
    assert ruled(action(), spec).verdict is Verdict.ALLOW


def test_every_bound_policy_must_allow() -> None:
    first = CapabilitySpec("a", ("ann",), {"allowed_tools": ("shell_exec",)})
    second = CapabilitySpec("b", ("operator",), {"allowed_tools": ("file_read",)})
    assert ruled(action(), first).verdict is Verdict.ALLOW
    assert ruled(action(), first, second).ruling.rule_id == "capability:b/allowed_tools"


def test_the_risk_cap_of_a_capability_denies_above_it() -> None:
    cap = capability({}, max_risk=Risk.MEDIUM)
    assert ruled(action(risk=Risk.MEDIUM), cap).verdict is Verdict.ALLOW
    assert ruled(action(risk=Risk.HIGH), cap).verdict is Verdict.DENY
    raised = action(effects=Effects(writes=("/x",)), risk=Risk.MEDIUM, run=run_of(untrusted=("web",)))
    assert ruled(raised, cap).verdict is Verdict.DENY


def test_require_approval_of_a_capability_asks() -> None:
    assert ruled(action(), capability({"require_approval": ("shell_exec",)})).verdict is Verdict.ASK
    assert ruled(action(), capability({"require_approval": ("file_read",)})).verdict is Verdict.ALLOW


def test_a_role_grants_exactly_its_permissions() -> None:
    assert ruled(action("other")).verdict is Verdict.ALLOW
    assert ruled(action("another")).ruling.rule_id == "role:operator/not-permitted"
    assert ruled(action("shell_exec", permission="shell_exec_all")).verdict is Verdict.DENY
    assert ruled(action(role="unknown")).verdict is Verdict.DENY
    none = RoleSpec("operator", (), Risk.CRITICAL)
    assert ruled(action(), roles=(none,)).verdict is Verdict.DENY


def test_a_role_asks_above_its_risk_and_for_what_it_lists() -> None:
    low = RoleSpec("operator", ("shell_exec", "other"), Risk.LOW, ("other",))
    assert ruled(action(risk=Risk.LOW), roles=(low,)).verdict is Verdict.ALLOW
    assert ruled(action(risk=Risk.MEDIUM), roles=(low,)).ruling.rule_id == "role:operator/max_risk_level"
    assert ruled(action("x", permission="other", risk=Risk.LOW), roles=(low,)).verdict is Verdict.ASK
    by_tool = RoleSpec("operator", ("shell_exec",), Risk.HIGH, ("shell_exec",))
    assert ruled(action(), roles=(by_tool,)).verdict is Verdict.ASK


@pytest.mark.parametrize("optional", [(), ("diagnostics",), ("destructive-commands",)], ids=str)
def test_the_floor_cannot_be_dropped(optional: tuple[str, ...]) -> None:
    rules = {rule.id for rule in compile_rules(PolicySpec(optional=optional))}
    assert {"protected-roots", "process-secrets", "read-only-mode", "no-role", "critical-always-asks"} <= rules
    assert rules & {"diagnostics", "destructive-commands"} == set(optional)


def test_an_own_allow_rule_never_beats_the_floor() -> None:
    mine = Rule("mine", BUILT_IN, Verdict.ALLOW, Match(), "all of it", risk=Risk.LOW)
    for act in (
        action(effects=Effects(reads=("/home/ann/.akili/audit.key",))),
        action(role=None),
        action(effects=Effects(opaque="eval")),
        action(effects=Effects(writes=("/srv/x",)), run=run_of(read_only=True)),
    ):
        assert ruled(act, rules=(mine,), protected=("/home/ann/.akili",)).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("tool", "inside", "outside"),
    [
        ("file_read", Effects(reads=("/srv/x",)), Effects(reads=("/srvevil",))),
        ("file_write", Effects(writes=("/srv/x",)), Effects(writes=("/etc/x",))),
        ("git_read", Effects(reads=("/srv/r",)), Effects(reads=("/root/r",))),
        ("web_fetch", Effects(hosts=("example.org:443",)), Effects(hosts=("evil.org:443",))),
    ],
)
def test_a_tools_own_list_denies_everything_else(tool: str, inside: Effects, outside: Effects) -> None:
    role = RoleSpec("operator", (tool,), Risk.HIGH)
    assert ruled(action(tool, inside, risk=Risk.LOW), roles=(role,)).verdict is Verdict.ALLOW
    assert ruled(action(tool, outside, risk=Risk.LOW), roles=(role,)).ruling.rule_id.startswith("tools.")
    empty = RuleSet(compile_rules(PolicySpec(roles=(role,))))
    assert decide(action(tool, inside, risk=Risk.LOW), empty).verdict is Verdict.DENY
