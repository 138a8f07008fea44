"""``akili policy explain``: one decision, with everything that made it and all that would change it."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass

from akili_cli.bootstrap.replay import replayed
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli import render
from akili_cli.cli.opening import opened_state, principal
from akili_cli.cli.policy.opening import judge_of
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.policy.engine import DEFAULT_DENY, RuleSet, decide
from akili_cli.core.policy.explain import changes
from akili_cli.core.policy.model import Action, Rule
from akili_cli.core.policy.told import addable, as_settings, base_risk, told
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import Decision
from akili_cli.domain.errors import UsageError
from akili_cli.domain.nearest import nearest

SOURCES = ("cli", "repl", "cron", "heartbeat", "alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What ``akili policy explain`` was given."""

    command: tuple[str, ...] = ()
    tool: str | None = None
    arguments: tuple[str, ...] = ()
    audit: str | None = None
    user: str | None = None
    agent: str | None = None
    source: str | None = None
    untrusted: tuple[str, ...] = ()
    read_only: bool = False
    autonomous: bool = False


async def explain_call(question: Question, as_json: bool) -> None:
    """Decide and explain; raises ``UsageError``, ``InvalidArgumentsError`` and ``NotFoundError``."""
    _check(question)
    async with opened_state() as state:
        judge = judge_of(state)
        recorded: dict[str, object] = {}
        if question.audit is None:
            action = judge.action(_asked(question))
        else:
            entry = await AuditReader(state.db, state.org).get(question.audit)
            again = replayed(entry, judge)
            action = again.action
            recorded = {
                "id": entry.id,
                "verdict": entry.record.verdict,
                "risk": entry.record.risk,
                "rule": entry.record.rule,
                "role": entry.record.role,
                "approximate": bool(again.doubt),
                "doubt": again.doubt,
            }
    decision = decide(action, judge.rules)
    object_ = told(action, decision, judge.rules, recorded)
    if as_json:
        render.out_json(object_)
    else:
        _show(action, decision, judge.rules, recorded)


def _check(question: Question) -> None:
    ways = (question.command, question.tool, question.audit)
    if sum(bool(way) for way in ways) != 1:
        raise UsageError(
            "give one of a command line, --tool or --audit", hint="akili policy explain -- systemctl restart nginx"
        )
    if question.arguments and not question.tool:
        raise UsageError("--arg goes with --tool")
    if question.source is not None and question.source not in SOURCES:
        raise UsageError(f"--source must be one of {', '.join(SOURCES)}{nearest(question.source, SOURCES)}")
    who = (question.user, question.agent, question.source, question.untrusted)
    if question.audit is not None and (any(who) or question.read_only or question.autonomous):
        raise UsageError("--audit says who asked and how; the other options do not go with it")


def _asked(question: Question) -> Asked:
    arguments: dict[str, object]
    if question.tool is None:
        words = question.command
        tool, arguments = "shell_exec", {"command": words[0] if len(words) == 1 else shlex.join(words)}
    else:
        tool, arguments = question.tool, dict(_pair(text) for text in question.arguments)
    return Asked(
        tool=tool,
        arguments=arguments,
        user=question.user or principal().user,
        agent=question.agent,
        source=Source(question.source or Source.CLI),
        untrusted=question.untrusted,
        read_only=question.read_only,
        autonomous=question.autonomous,
    )


def _pair(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--arg takes name=value, not {text!r}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _show(action: Action, decision: Decision, rules: RuleSet, recorded: dict[str, object]) -> None:
    color = {"allow": "green", "ask": "yellow", "deny": "red"}[decision.verdict]
    render.out_painted(render.paint(f"{decision.verdict}", color, sys.stdout))
    run = action.run
    circumstances = (
        ("agent ", run.principal.agent),
        ("playing ", run.skill),
        ("autonomous", "" if run.autonomous else None),
        ("read-only", "" if run.read_only else None),
        ("after ", ", ".join(run.untrusted) or None),
    )
    how = "".join(f", {word}{what}" for word, what in circumstances if what is not None)
    render.out(f"for:    {run.principal.user} ({action.role or 'no role'}), from {run.principal.source}{how}")
    if recorded:
        doubt = f", not surely alike: {recorded['doubt']}" if recorded["doubt"] else ""
        then = f"{recorded['verdict']}, risk {recorded['risk']}, by {recorded['rule']}"
        render.out(f"then:   {then} (decided again{doubt})")
    reasons = "; ".join((base_risk(action, decision), *decision.risk_reasons))
    render.out(f"risk:   {decision.risk} ({reasons})")
    render.out(f"does:   {'; '.join(effect_lines(action)) or 'nothing outside akili'}")
    render.out("rules that matched:")
    for hit in decision.hits:
        render.out(f"  {hit.verdict:<5} {hit.rule_id} ({hit.origin}): {hit.because}")
    found = changes(action, rules)
    if found:
        render.out("what would change it:")
    for one in found:
        render.out(f"  {one.condition}: {one.verdict} (by {one.by})")
    if decision.ruling == DEFAULT_DENY:
        _show_allow(addable(action, decision, rules))


def _show_allow(rule: Rule | None) -> None:
    if rule is None:
        render.out("no allow rule can allow it: its effects cannot be known or named")
        return
    render.out("the smallest rule that would allow it (under policies.rules):")
    render.out(f"  - {json.dumps(as_settings(rule), ensure_ascii=True)}")


def effect_lines(action: Action) -> list[str]:
    """Give one line per kind of effect of an action."""
    effects = action.effects
    lines = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("reads", effects.reads),
            ("writes", effects.writes),
            ("deletes", effects.deletes),
            ("runs", tuple(shlex.join(command.argv) for command in effects.commands)),
            ("reaches", effects.hosts),
        )
        if values
    ]
    if effects.opaque is not None:
        lines.append(f"cannot be known: {effects.opaque}")
    if not effects.reversible:
        lines.append("cannot be undone")
    return lines
