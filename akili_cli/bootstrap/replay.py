"""Turns a recorded call back into an action, so that policy can be asked about it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.execution.recording import effects_from
from akili_cli.core.policy.engine import decide
from akili_cli.core.policy.model import Action
from akili_cli.domain.calls import Principal, Source, call_digest
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AkiliError, ConflictError, InvalidArgumentsError

OLD = "recorded before akili kept who it was decided for and how"
_DECIDES = frozenset({"effects", "user_id", "source", "agent", "skill", "tool", "org_id"})


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded call as an action. ``doubt`` says why it may not be exactly the one that was decided."""

    action: Action
    doubt: str = ""


def replayable(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Give the entries that tell of decided calls, each decision once.

    An intent is told again by its outcome, if that is among the entries. What never was a call that policy could
    rule on (``invalid``) is left out; a call whose decision was lost is not.
    """
    told = [entry for entry in entries if entry.record.kind in (Kind.CALL_INTENT, Kind.CALL_OUTCOME)]
    ended = {_call(entry) for entry in told if entry.record.kind is Kind.CALL_OUTCOME}
    return [
        entry
        for entry in told
        if entry.record.result != Result.INVALID
        and (entry.record.kind is Kind.CALL_OUTCOME or _call(entry) not in ended)
    ]


def _call(entry: AuditEntry) -> tuple[str, str, str]:
    return entry.record.run_id, entry.record.call_id, entry.record.digest


def replayed(entry: AuditEntry, judge: Judge) -> Replayed:
    """Rebuild the action of an entry as it was decided: its effects, its run and its time are those recorded.

    The role is the one that the judge's policy gives the user. Of entries that older versions wrote, the arguments
    are read again by the tool if they are whole (their digest fits); the run's mode is told from the rules that
    matched, outside text from the risk.
    Raises ``ConflictError`` for an entry that holds no decided call, or one of a tool that is gone.
    """
    record = entry.record
    if not record.verdict or not record.tool:
        raise ConflictError(f"audit record {entry.id} is not about a call that was decided")
    if record.decided_at is None:
        return _of_old(entry, judge)
    lost = sorted(_DECIDES.intersection(record.altered))
    action = _rebuilt(entry, _asked(entry, record.decided_at), judge, effects_from(record.effects))
    return Replayed(action, f"what was recorded is redacted or shortened: {', '.join(lost)}" if lost else "")


def _asked(entry: AuditEntry, at: float) -> Asked:
    record, who = entry.record, _principal(entry)
    return Asked(
        tool=record.tool,
        arguments=record.parameters,
        user=who.user,
        agent=who.agent,
        source=who.source,
        org=who.org,
        untrusted=record.untrusted,
        read_only="read_only" in record.mode,
        autonomous="autonomous" in record.mode,
        skill=record.skill or None,
        at=at,
    )


def _principal(entry: AuditEntry) -> Principal:
    record = entry.record
    try:
        source = Source(record.source)
    except ValueError:
        source = Source.CLI
    return Principal(record.user, source, record.agent or None, record.org)


def _rebuilt(entry: AuditEntry, asked: Asked, judge: Judge, effects: Effects) -> Action:
    run = asked.run()
    try:
        tool = judge.tools.get(asked.tool)
    except AkiliError as error:
        raise ConflictError(f"audit record {entry.id}: there is no tool {asked.tool[:80]!r} any more") from error
    return Action(
        tool=tool.name,
        permission=tool.permission,
        risk=tool.risk,
        read_only=tool.read_only,
        effects=effects,
        run=run,
        role=judge.role_of(run.principal),
        at=entry.at if asked.at is None else asked.at,
    )


def _of_old(entry: AuditEntry, judge: Judge) -> Replayed:
    record = entry.record
    matched = {rule.partition(" ")[2].rpartition("@")[0] for rule in record.rules}
    asked = _asked(entry, entry.at)
    asked = replace(asked, read_only="read-only-mode" in matched, autonomous="autonomous" in matched)
    whole = call_digest(_principal(entry), record.tool, record.parameters) == record.digest
    action = _understood(asked, judge) if whole else None
    if action is None:
        action = _rebuilt(entry, asked, judge, effects_from(record.effects))
    return Replayed(_with_untrusted(action, record, judge), OLD)


def _understood(asked: Asked, judge: Judge) -> Action | None:
    try:
        return judge.action(asked)
    except InvalidArgumentsError:
        return None


def _with_untrusted(action: Action, record: AuditRecord, judge: Judge) -> Action:
    """Such a record does not name outside text; if only such text explains the recorded risk, it was there."""
    if str(decide(action, judge.rules).risk) == record.risk:
        return action
    tainted = replace(action, run=replace(action.run, untrusted=("recorded",)))
    return tainted if str(decide(tainted, judge.rules).risk) == record.risk else action
