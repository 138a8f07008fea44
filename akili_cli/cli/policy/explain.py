"""``akili policy explain``: one decision, with everything that made it and all that would change it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akili_cli.adapters.net.gateway import Gateway
from akili_cli.bootstrap.replay import replayed
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli import render
from akili_cli.cli.opening import opened_state, principal
from akili_cli.cli.policy.opening import judge_of
from akili_cli.cli.remote import read_from
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.policy.engine import DEFAULT_DENY, decide
from akili_cli.core.policy.told import told
from akili_cli.domain.calls import Source
from akili_cli.domain.errors import UsageError
from akili_cli.domain.nearest import nearest

SOURCES = ("cli", "repl", "http", "cron", "heartbeat", "alert")


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


async def explain_call(question: Question, as_json: bool, gateway: Gateway | None = None) -> None:
    """Have it decided and explain; raises ``UsageError``, ``InvalidArgumentsError`` and ``NotFoundError``."""
    _check(question)
    object_ = await _explained(question) if gateway is None else await _explained_there(question, gateway)
    if as_json:
        render.out_json(object_)
    else:
        with read_from(gateway):
            _show(object_)


async def _explained_there(question: Question, gateway: Gateway) -> Mapping[str, Any]:
    """Ask a gateway, which decides as of a call over HTTP by whoever holds the key."""
    if question.audit is not None or question.agent is not None or question.source is not None:
        raise UsageError("--audit, --agent and --source are for calls of this machine; a gateway decides calls by HTTP")
    asked = _asked(question)
    body: dict[str, object] = {"untrusted": list(question.untrusted), "read_only": question.read_only}
    body |= {"autonomous": question.autonomous} | ({"user": question.user} if question.user else {})
    if question.tool is None:
        body["command"] = asked.arguments["command"]
    else:
        body |= {"tool": question.tool, "arguments": dict(asked.arguments)}
    with read_from(gateway):
        return dict(await gateway.post("/v1/policy/explain", body))


async def _explained(question: Question) -> Mapping[str, Any]:
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
    return told(action, decision, judge.rules, recorded)


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


def _show(told: Mapping[str, Any]) -> None:
    color = {"allow": "green", "ask": "yellow", "deny": "red"}[told["verdict"]]
    render.out_painted(render.paint(told["verdict"], color, sys.stdout))
    circumstances = (
        ("agent ", told["agent"]),
        ("playing ", told["skill"]),
        ("autonomous", "" if told["autonomous"] else None),
        ("read-only", "" if told["read_only"] else None),
        ("after ", ", ".join(told["untrusted"]) or None),
    )
    how = "".join(f", {word}{what}" for word, what in circumstances if what is not None)
    render.out(f"for:    {told['user']} ({told['role'] or 'no role'}), from {told['source']}{how}")
    recorded = told.get("recorded")
    if recorded:
        doubt = f", not surely alike: {recorded['doubt']}" if recorded["doubt"] else ""
        then = f"{recorded['verdict']}, risk {recorded['risk']}, by {recorded['rule']}"
        render.out(f"then:   {then} (decided again{doubt})")
    render.out(f"risk:   {told['risk']} ({'; '.join(told['risk_reasons'])})")
    render.out(f"does:   {'; '.join(effect_lines(told['effects'])) or 'nothing outside akili'}")
    render.out("rules that matched:")
    for hit in told["rules"]:
        render.out(f"  {hit['verdict']:<5} {hit['id']} ({hit['origin']}): {hit['because']}")
    if told["changes"]:
        render.out("what would change it:")
    for one in told["changes"]:
        render.out(f"  {one['condition']}: {one['verdict']} (by {one['rule']})")
    if told["rules"][0]["id"] == DEFAULT_DENY.rule_id:
        _show_allow(told["smallest_allow"])


def _show_allow(rule: Mapping[str, Any] | None) -> None:
    if rule is None:
        render.out("no allow rule can allow it: its effects cannot be known or named")
        return
    render.out("the smallest rule that would allow it (under policies.rules):")
    render.out(f"  - {json.dumps(rule, ensure_ascii=True)}")


def effect_lines(effects: Mapping[str, Any]) -> list[str]:
    """Give one line per kind of effect of an action, as ``Effects.as_dict`` gives them."""
    commands = [shlex.join(argv) for argv in effects.get("commands", ())]
    kinds = (("reads", "reads"), ("writes", "writes"), ("deletes", "deletes"), ("runs", ""), ("reaches", "hosts"))
    lines = [
        f"{name} {', '.join(values)}" for name, key in kinds if (values := effects.get(key, ()) if key else commands)
    ]
    if effects.get("opaque"):
        lines.append(f"cannot be known: {effects['opaque']}")
    if not effects["reversible"]:
        lines.append("cannot be undone")
    return lines
