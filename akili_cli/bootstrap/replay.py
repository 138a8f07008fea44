"""Turns a recorded call back into an action, so that policy can be asked about it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.core.audit.model import AuditEntry, Kind, Result
from akili_cli.core.policy.engine import decide
from akili_cli.core.policy.model import Action
from akili_cli.domain.calls import Principal, Source, call_digest
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import AkiliError, ConflictError, InvalidArgumentsError

_LISTS = ("reads", "writes", "deletes", "hosts", "nodes", "secrets", "channels", "servers")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded call as an action. ``approximate`` when its arguments were not kept whole."""

    action: Action
    approximate: bool


def is_replayable(entry: AuditEntry) -> bool:
    """Tell whether an entry is about a call that was decided; an intent is told again by its outcome."""
    record = entry.record
    return record.kind is Kind.CALL_OUTCOME and record.result != Result.INVALID and bool(record.verdict)


def replayed(entry: AuditEntry, judge: Judge) -> Replayed:
    """Rebuild the action of an entry at its own time.

    The recorded arguments are read again by the tool if they are whole (their digest fits); otherwise the
    recorded effects stand in. The run's mode is told from the rules that matched, outside text from the risk.
    Raises ``ConflictError`` for an entry that holds no decided call.
    """
    if not entry.record.verdict or not entry.record.tool:
        raise ConflictError(f"audit record {entry.id} is not about a call that was decided")
    asked = _asked(entry)
    whole = call_digest(_principal(entry), entry.record.tool, entry.record.parameters) == entry.record.digest
    action = _understood(asked, judge) if whole else None
    approximate = action is None
    if action is None:
        action = _rebuilt(entry, asked, judge)
    return Replayed(_with_untrusted(action, entry, judge), approximate)


def _understood(asked: Asked, judge: Judge) -> Action | None:
    try:
        return judge.action(asked)
    except InvalidArgumentsError:
        return None


def _principal(entry: AuditEntry) -> Principal:
    record = entry.record
    try:
        source = Source(record.source)
    except ValueError:
        source = Source.CLI
    return Principal(record.user, source, None, record.org)


def _asked(entry: AuditEntry) -> Asked:
    record, who = entry.record, _principal(entry)
    matched = {rule.partition(" ")[2].rpartition("@")[0] for rule in record.rules}
    return Asked(
        tool=record.tool,
        arguments=record.parameters,
        user=who.user,
        source=who.source,
        org=who.org,
        read_only="read-only-mode" in matched,
        autonomous="autonomous" in matched,
        at=entry.at,
    )


def _rebuilt(entry: AuditEntry, asked: Asked, judge: Judge) -> Action:
    run = asked.run()
    try:
        tool = judge.tools.get(asked.tool)
    except AkiliError as error:
        raise ConflictError(f"audit record {entry.id}: there is no tool {asked.tool!r} any more") from error
    return Action(
        tool=tool.name,
        permission=tool.permission,
        risk=tool.risk,
        read_only=tool.read_only,
        effects=recorded_effects(entry.record.effects),
        run=run,
        role=judge.role_of(run.principal),
        at=entry.at,
    )


def recorded_effects(stored: Mapping[str, object]) -> Effects:
    """Give the effects that an audit record holds; commands come back without the file they resolved to."""
    lists = {name: tuple(map(str, _items(stored.get(name)))) for name in _LISTS}
    commands = tuple(_command(tuple(map(str, _items(argv)))) for argv in _items(stored.get("commands")))
    opaque = stored.get("opaque")
    if not stored:
        opaque = "the record does not say what it would have done"
    return Effects(
        reads=lists["reads"],
        writes=lists["writes"],
        deletes=lists["deletes"],
        commands=commands,
        hosts=lists["hosts"],
        nodes=lists["nodes"],
        secrets=lists["secrets"],
        channels=lists["channels"],
        servers=lists["servers"],
        reversible=stored.get("reversible") is not False,
        opaque=None if opaque is None else str(opaque),
    )


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _command(argv: tuple[str, ...]) -> Command:
    words = argv or (shlex.quote(""),)
    return Command(words[0].rsplit("/", 1)[-1], words, words[0] if words[0].startswith("/") else None)


def _with_untrusted(action: Action, entry: AuditEntry, judge: Judge) -> Action:
    """The record does not name outside text; if only such text explains the recorded risk, it was there."""
    if str(decide(action, judge.rules).risk) == entry.record.risk:
        return action
    tainted = replace(action, run=replace(action.run, untrusted=("recorded",)))
    return tainted if str(decide(tainted, judge.rules).risk) == entry.record.risk else action
