"""What the audit is told about a decided call: enough to decide it again exactly, and what came of it."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from akili_cli.core.approvals.request import Request
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.sandbox.watched import Execution
from akili_cli.domain.calls import Run, ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Command, Effects

MAX_LABELS = 8
RECORDED_FACTS = ("channel_type",)
MODES = ("autonomous", "read_only", "plan")
_LISTS = ("reads", "writes", "deletes", "hosts", "nodes", "secrets", "channels", "servers")
_PLACE = 2


def record_of(
    request: Request,
    result: Result,
    *,
    kind: Kind = Kind.CALL_OUTCOME,
    permit: Permit | None = None,
    error: str = "",
) -> AuditRecord:
    """Give the record of a decided call."""
    decision, run = request.decision, request.run
    return AuditRecord(
        kind=kind,
        **who(run),
        call_id=request.call.id,
        tool=request.call.name,
        parameters=dict(request.call.arguments),
        digest=request.digest,
        result=result,
        verdict=str(decision.verdict),
        risk=str(decision.risk),
        rule=f"{decision.ruling.rule_id}@{decision.ruling.origin}",
        rules=tuple(f"{hit.verdict} {hit.rule_id}@{hit.origin}" for hit in decision.hits),
        effects=effects_as_recorded(request.effects),
        approved_by=(permit.approved_by or "") if permit else "",
        error=error,
        agent=run.principal.agent or "",
        role=request.role or "",
        skill=run.skill or "",
        mode=tuple(name for name in MODES if getattr(run, name)),
        untrusted=_labels(run.untrusted),
        decided_at=request.at,
    )


def who(run: Run) -> dict[str, Any]:
    """Give the fields of a record that say whose run it is about."""
    return {
        "org": run.principal.org,
        "user": run.principal.user,
        "source": str(run.principal.source),
        "correlation_id": run.correlation_id,
        "run_id": run.id,
        "conversation_id": run.conversation_id or "",
    }


def _labels(untrusted: tuple[str, ...]) -> tuple[str, ...]:
    rest = len(untrusted) - MAX_LABELS
    return untrusted if rest <= 0 else (*untrusted[:MAX_LABELS], f"and {rest} more")


def outcome_of(
    intent: AuditRecord,
    result: Result,
    output: ToolOutput,
    duration_s: float,
    executions: Sequence[Execution] = (),
) -> AuditRecord:
    """Give the record of what came of an intended call; ``output`` is redacted already."""
    data = output.text.encode("utf-8", "surrogateescape")
    layers = output.metadata.get("layers", ())
    return replace(
        intent,
        kind=Kind.CALL_OUTCOME,
        result=result,
        duration_s=round(duration_s, 6),
        cost_usd=output.cost_usd,
        layers=tuple(layers) if isinstance(layers, list | tuple) else (),
        output_sha256=hashlib.sha256(data).hexdigest(),
        output_bytes=len(data),
        error="" if output.ok else output.text[:500],
        facts=_facts(output.metadata, executions),
    )


def _facts(metadata: Mapping[str, object], executions: Sequence[Execution]) -> dict[str, object]:
    facts: dict[str, object] = {name: metadata[name] for name in RECORDED_FACTS if name in metadata}
    return facts | ({"executions": [one.as_dict() for one in executions]} if executions else {})


def interrupted_of(intent: AuditRecord, duration_s: float) -> AuditRecord:
    """Give the record of an intended call that was cancelled."""
    return replace(intent, kind=Kind.CALL_OUTCOME, result=Result.INTERRUPTED, duration_s=duration_s)


def effects_as_recorded(effects: Effects) -> dict[str, object]:
    """Give effects JSON-ready; ``programs`` says of each command what its words do not."""
    said = effects.as_dict()
    if effects.commands:
        said["programs"] = [[one.program, one.path or "", *one.wrappers] for one in effects.commands]
    return said


def effects_from(stored: Mapping[str, object]) -> Effects:
    """Give the effects that a record holds; nothing recorded is opaque.

    Commands recorded without their programs come back without the file they resolved to.
    """
    lists = {name: tuple(map(str, _items(stored.get(name)))) for name in _LISTS}
    commands = [tuple(map(str, _items(argv))) for argv in _items(stored.get("commands"))]
    programs = [tuple(map(str, _items(program))) for program in _items(stored.get("programs"))]
    if len(programs) != len(commands):
        programs = [()] * len(commands)
    opaque = stored.get("opaque")
    if not stored:
        opaque = "the record does not say what it would have done"
    return Effects(
        **lists,
        commands=tuple(_command(argv, program) for argv, program in zip(commands, programs, strict=True)),
        reversible=stored.get("reversible") is not False,
        opaque=None if opaque is None else str(opaque),
    )


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _command(argv: tuple[str, ...], program: tuple[str, ...]) -> Command:
    words = argv or (shlex.quote(""),)
    if len(program) < _PLACE:
        return Command(words[0].rsplit("/", 1)[-1], words, words[0] if words[0].startswith("/") else None)
    return Command(program[0], argv, program[1] or None, program[_PLACE:])
