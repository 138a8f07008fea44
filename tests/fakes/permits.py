"""Permits for tests that drive a tool or a sandbox without the pipeline."""

from __future__ import annotations

from akili_cli.domain.decisions import BUILT_IN, Decision, Permit, RuleHit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk


def permit_for(effects: Effects, *, tool: str = "shell_exec", protected: tuple[str, ...] = ()) -> Permit:
    hit = RuleHit("test", BUILT_IN, Verdict.ALLOW, "a test allows it")
    return Permit(
        id="test-permit",
        digest="0" * 64,
        tool=tool,
        user="tester",
        effects=effects,
        decision=Decision(Verdict.ALLOW, Risk.LOW, (hit,)),
        expires_at=float("inf"),
        protected=protected,
    )
