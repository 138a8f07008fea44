"""What one decision costs at 10 to 10,000 rules."""

from __future__ import annotations

import time

from akili_cli.core.policy.compile import PolicySpec, RoleSpec, ToolRoots, compile_rules
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.benchmarks.figures import percentile, show
from tests.fakes.actions import action, command

SHAPES = (
    lambda i: Match(commands=(f"tool{i} apply",)),
    lambda i: Match(paths=(f"/srv/team{i}",)),
    lambda i: Match(domains=(f"*.team{i}.example.com",)),
    lambda i: Match(tools=("file_write",), writes=(f"/srv/team{i}",)),
    lambda i: Match(users=(f"user{i}",), min_risk=Risk.HIGH),
)


def main() -> None:
    actions = [
        action(effects=Effects(reads=("/proc",), commands=(command("df", "-P"),)), role="operator"),
        action(effects=Effects(commands=(command("git", "status"), command("grep", "x")), reads=("/srv/team7/a",))),
        action("file_write", effects=Effects(writes=("/srv/team3/x",)), permission="write_files", risk=Risk.MEDIUM),
        action(effects=Effects(hosts=("api.team9.example.com:443",), commands=(command("curl", "-s"),))),
    ]
    for count in (10, 100, 1000, 10_000):
        rules = RuleSet((*_base(), *(_rule(i) for i in range(count))))
        times = []
        for i in range(max(400, 40_000 // count)):
            began = time.perf_counter()
            decide(actions[i % len(actions)], rules)
            times.append(time.perf_counter() - began)
        p50, p99 = percentile(times, 0.5) * 1e6, percentile(times, 0.99) * 1e6
        show(f"decide() with {count:>6} rules", f"p50 {p50:8.1f} us   p99 {p99:8.1f} us")


def _base() -> tuple[Rule, ...]:
    role = RoleSpec("operator", ("shell_exec", "write_files"), Risk.MEDIUM)
    return compile_rules(PolicySpec(roles=(role,), tool_roots=ToolRoots(files=("/srv",)), protected=("/root/.ssh",)))


def _rule(i: int) -> Rule:
    return Rule(f"rule-{i}", Origin("policy.yaml", i), Verdict.DENY, SHAPES[i % len(SHAPES)](i), "benchmark")


if __name__ == "__main__":
    main()
