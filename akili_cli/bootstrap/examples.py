"""Checks the examples that rules carry: a rule that does not match as it claims is not used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from akili_cli.bootstrap.rulings import DEFAULT_USER, Asked, Judge
from akili_cli.config.policies import RuleExample, RuleSettings
from akili_cli.config.settings import SecuritySettings
from akili_cli.core.policy.engine import spoken
from akili_cli.core.policy.lint import Finding, Level
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import Origin
from akili_cli.domain.errors import InvalidArgumentsError


def broken_examples(
    rules: tuple[RuleSettings, ...], security: SecuritySettings, judge: Judge, of: Callable[[str], Origin]
) -> list[Finding]:
    """Give a finding with its place for each example that does not match as its rule claims."""
    return [
        Finding(Level.ERROR, rule.id, of(f"policies.rules[{at}].examples[{number}]"), what)
        for at, rule in enumerate(rules)
        for number, example in enumerate(rule.examples)
        if (what := _broken(rule, example, security, judge)) is not None
    ]


def _broken(rule: RuleSettings, example: RuleExample, security: SecuritySettings, judge: Judge) -> str | None:
    try:
        action = judge.action(_asked(rule, example, security))
    except InvalidArgumentsError as error:
        return f"the example is no valid call: {error}"
    matches = any(one.id == rule.id for one in spoken(action, judge.rules))
    if matches is example.matches:
        return None
    if example.matches:
        return f"the example does not match: {example.tool} {example.arguments}"
    return f"the example matches, and the rule says that it must not: {example.tool} {example.arguments}"


def _asked(rule: RuleSettings, example: RuleExample, security: SecuritySettings) -> Asked:
    match = rule.match
    return Asked(
        tool=example.tool,
        arguments=example.arguments,
        user=example.user or _somebody(rule, security),
        agent=example.agent or (match.agents[0] if match.agents else None),
        source=Source(example.source or (match.sources[0] if match.sources else Source.CLI)),
        untrusted=("example",) if example.untrusted else (),
        at=None if example.at is None else datetime.fromisoformat(example.at).timestamp(),
    )


def _somebody(rule: RuleSettings, security: SecuritySettings) -> str:
    """Give a user the rule means."""
    roles = rule.match.roles
    users = rule.match.users or tuple(security.user_roles)
    if not rule.match.users and not roles:
        return DEFAULT_USER
    fitting = (user for user in users if not roles or security.user_roles.get(user, security.default_role) in roles)
    return next(fitting, DEFAULT_USER)
