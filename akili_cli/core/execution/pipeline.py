"""The one way a tool runs. Every entry point ends here, and every call leaves a record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals.auto import APPROVER
from akili_cli.core.approvals.grants import Grant
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.core.approvals.plans import Plan
from akili_cli.core.approvals.queue import ApprovalQueue, unsealed
from akili_cli.core.approvals.request import Edited, Held, Planned, Refused, Request
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.model import Reservation
from akili_cli.core.execution.cache import ResultCache
from akili_cli.core.execution.cards import whole_card
from akili_cli.core.execution.once import begins_once
from akili_cli.core.execution.recording import interrupted_of, outcome_of, record_of, who
from akili_cli.core.execution.understanding import understand
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.model import Action
from akili_cli.core.sandbox.watched import noting_executions
from akili_cli.core.tools.base import Tool, ToolArgs
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import (
    Principal,
    Run,
    Status,
    StepResult,
    ToolCall,
    ToolOutput,
    call_digest,
    canonical_json,
)
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Decision, Permit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import (
    AkiliError,
    AlreadyBegunError,
    BudgetExceededError,
    ConflictError,
    InvalidArgumentsError,
    RefusedError,
)
from akili_cli.domain.ports import NO_TRACER, Span, Tracer
from akili_cli.domain.risk import Risk

MAX_EDITS = 5
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that was understood: what it would do, and what policy says to that."""

    tool: Tool[Any]
    args: ToolArgs
    effects: Effects
    decision: Decision
    digest: str
    role: str | None
    at: float

    def request(self, call: ToolCall, run: Run, reason: str = "") -> Request:
        """Give what is ruled on and recorded."""
        return Request(call, run, self.effects, self.decision, self.digest, reason, self.role, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Policy enforcement. Every part is required, so no check can be left out."""

    tools: ToolBox
    rules: RuleSet
    role_of: Callable[[Principal], str | None]
    approvals: ApprovalQueue
    cache: ResultCache
    ledger: Ledger
    audit: AuditLog
    redactor: Redactor
    clock: Clock
    tracer: Tracer = NO_TRACER

    def prepare(self, call: ToolCall, run: Run) -> Prepared:
        """Understand a call and decide on it, without doing anything.

        Raises ``InvalidArgumentsError`` when the tool is unknown, its arguments are wrong, or what they would do
        cannot be told.
        """
        role, at = self.role_of(run.principal), self.clock.now()
        known = understand(self.tools, call, run, role=role, at=at)
        digest = call_digest(run.principal, known.tool.name, call.arguments)
        with self.tracer.span("security.check_permission") as span:
            decision = decide(known.action, self.rules)
            span.set({"akili.verdict": str(decision.verdict), "akili.rule": decision.ruling.rule_id})
        return Prepared(known.tool, known.args, known.action.effects, decision, digest, role, at)

    async def run(self, call: ToolCall, run: Run, *, reason: str = "", edits: int = 0) -> StepResult:
        """Take one call from request to result.

        1. Understand it; what cannot be understood is recorded as invalid. 2. Decide. 3. Settle: a permit, a
        wait or a refusal, each recorded. 4. A fresh cached result answers a permitted read. 5. Reserve money.
        6. Make the intent durable; if that fails nothing runs. 7. Run with the permit. 8. Redact, record the
        outcome, settle. Raises only when akili itself cannot work (audit or storage gone). ``edits`` counts how
        often a person has changed the call already; a changed call starts again at 1.
        """
        with self._span(call, run) as span:
            step = await self._run(call, run, reason, edits)
            _told(span, step)
        return step

    @contextmanager
    def _span(self, call: ToolCall, run: Run) -> Iterator[Span]:
        """Show one call to whoever traces; a name that is no tool's is the model's text and not shown."""
        tool = call.name if call.name in self.tools.names() else "unknown"
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "akili.run_id": run.id,
            "enduser.id": run.principal.user,
        }
        token = correlation.set(run.correlation_id)  # whatever is logged on the way names the run
        try:
            with self.tracer.span(f"execute_tool {tool}", attributes) as span:
                yield span
        finally:
            correlation.reset(token)

    async def _run(self, call: ToolCall, run: Run, reason: str, edits: int) -> StepResult:
        try:
            prepared = self.prepare(call, run)
        except InvalidArgumentsError as error:
            return await self._invalid(call, run, error)
        request = prepared.request(call, run, reason)
        try:
            with self.tracer.span("security.require_approval") as span:
                settled = await self.approvals.settle(request)
                span.set({"akili.settled": type(settled).__name__.lower()})
        except asyncio.CancelledError:
            await asyncio.shield(self.audit.append(record_of(request, Result.INTERRUPTED)))
            raise
        match settled:
            case Refused():
                return await self._refused(request, settled)
            case Held():
                return await self._held(request, settled.approval)
            case Planned():
                return await self._planned(request, settled.approval)
            case Edited():
                return await self._edited(request, settled.call, edits)
            case Permit():
                return await self._approved(request, prepared, settled)

    def only_looks(self, call: ToolCall, run: Run) -> bool:
        """Tell whether a call is allowed and changes nothing anywhere, so that it may run beside others."""
        try:
            prepared = self.prepare(call, run)
        except InvalidArgumentsError:
            return False
        effects = prepared.effects
        reaches = any(not host.startswith("unix:") for host in effects.hosts)
        return prepared.decision.verdict is Verdict.ALLOW and not effects.changes and not reaches

    def may_play(self, run: Run) -> bool:
        """Tell whether the runbook named by ``run.skill`` is open to this principal."""
        action = Action("", "", Risk.LOW, True, Effects(), run, self.role_of(run.principal), self.clock.now())
        return not any(
            rule.verdict is Verdict.DENY and (rule.match.skills or rule.match.unless_skills is not None)
            for rule in self.rules.matching(action)
        )

    async def reject(self, call: ToolCall, run: Run, why: str) -> StepResult:
        """Record a call that could not even be read, and answer it."""
        return await self._invalid(call, run, InvalidArgumentsError(why))

    async def card(self, approval_id: str) -> Mapping[str, object]:
        """Give the whole card of an approval, JSON-ready; raises ``NotFoundError``."""
        return await whole_card(await self.approvals.get(approval_id), self.approvals.place.layers, self.ledger)

    async def resume(self, approval_id: str, by: Principal) -> tuple[Approval, StepResult]:
        """Approve a held call and run exactly it, once, as its requester; policy is asked again first.

        Raises what ``ApprovalQueue.approve`` and ``consume`` raise, and ``ConflictError`` for a step of a plan; then
        nothing ran.
        """
        held = await self.approvals.get(approval_id)
        if held.plan_id is not None:
            raise ConflictError(
                f"{held.id[:8]} is step {held.plan_index} of {held.plan_id}; nothing was done",
                hint=f"akili approvals approve {held.plan_id} --only {held.plan_index}",
            )
        self.approvals.check_here(held)
        if held.waits:
            return await self._rule(held, by)
        return await self._resume(approval_id, by)

    async def _rule(self, held: Approval, by: Principal) -> tuple[Approval, StepResult]:
        """Approve a call whose run waits for that; the run itself uses it (``proceed``)."""
        approval = await self.approvals.approve(held.id, by)
        if approval.status is not ApprovalStatus.APPROVED:
            await self._record_ruling(replace(approval, resolved_by=by.user), Result.VOTED)
            return approval, await self._short_of_quorum(approval)
        entry = await self._record_ruling(approval, Result.APPROVED)
        call, _ = self._frozen(approval)
        text = f"Approved. The run that waits for it ({approval.source}, for {approval.user}) goes on with it."
        return approval, StepResult(self._shown(call), Status.OK, text, entry.id, approval_id=approval.id)

    async def proceed(self, approval_id: str) -> StepResult:
        """Run a call that was held, once somebody has ruled on it: from the run that waited, with ``Run.once`` set.

        A denial or an approval that expired is a refusal; one that was used up already is ``interrupted``.
        """
        approval = await self.approvals.get(approval_id)
        try:
            if approval.status is ApprovalStatus.APPROVED:
                return (await self._use_up(approval))[1]
        except ConflictError as error:
            approval = await self.approvals.get(approval_id)
            _LOG.debug("an approval could not be used: %s", error)
        call, run = self._frozen(approval)
        request = self.prepare(call, run).request(call, run)
        match approval.status:
            case ApprovalStatus.CONSUMED:
                why = "it was approved and begun before, and the run was cut off; how far it came is not known"
                entry = await self.audit.append(record_of(request, Result.INTERRUPTED, error=why))
                return self._refusal(request, Status.INTERRUPTED, f"Interrupted: {why}", entry.id)
            case ApprovalStatus.DENIED:
                told = f": {approval.feedback}" if approval.feedback else ""
                because = f"{approval.resolved_by} said no{told}"
            case _:
                because = "nobody approved it in time"
        return await self._refused(request, Refused(because, approval.rule_id, approval.id))

    def _frozen(self, approval: Approval) -> tuple[ToolCall, Run]:
        call, run = frozen_call(approval)
        return replace(call, arguments=unsealed(approval, self.redactor)), run

    async def _resume(self, approval_id: str, by: Principal) -> tuple[Approval, StepResult]:
        approval = await self.approvals.approve(approval_id, by)
        if approval.status is not ApprovalStatus.APPROVED:
            await self._record_ruling(replace(approval, resolved_by=by.user), Result.VOTED)
            return approval, await self._short_of_quorum(approval)
        return await self._use(approval)

    async def _use(self, approval: Approval, own_changes: tuple[str, ...] = ()) -> tuple[Approval, StepResult]:
        """Use up an approved call and run it; ``own_changes`` is what earlier steps of its plan may have changed."""
        await self._record_ruling(approval, Result.APPROVED)
        return await self._use_up(approval, own_changes)

    async def _use_up(self, approval: Approval, own_changes: tuple[str, ...] = ()) -> tuple[Approval, StepResult]:
        approval = await self.approvals.consume(approval.id)
        call, run = self._frozen(approval)
        with self._span(call, run) as span:
            try:
                prepared = self.prepare(call, run)
            except InvalidArgumentsError as error:
                return approval, await self._invalid(call, run, error)
            request = prepared.request(call, run)
            settled = await self.approvals.claimed_permit(approval, request, own_changes)
            if isinstance(settled, Refused):
                result = await self._refused(request, settled)
            else:
                result = await self._permitted(request, prepared, settled)
            _told(span, result)
        await self.approvals.record_outcome(approval.id, str(result.status))
        return approval, replace(result, approval_id=approval.id)

    async def _short_of_quorum(self, approval: Approval) -> StepResult:
        call, run = self._frozen(approval)
        return await self._held(self.prepare(call, run).request(call, run), approval)

    async def refuse(self, approval_id: str, by: Principal, feedback: str = "") -> Approval:
        """Deny a held call, for the record."""
        approval = await self.approvals.deny(approval_id, by, feedback)
        await self._record_ruling(approval, Result.DENIED)
        return approval

    async def amend(self, approval_id: str, arguments: dict[str, object], by: Principal) -> tuple[Approval, StepResult]:
        """Change a held call, have policy rule on the changed one, and run it if this person may approve it.

        The old request is denied ("changed by hand"). The changed call is this person's own: it runs with their
        role, and where it needs a second pair of eyes that is somebody else. Raises like ``resume``, and
        ``InvalidArgumentsError`` for a change that does not fit; then nothing was denied.
        """
        call, run = self._frozen(await self.approvals.get(approval_id))
        run = replace(run, principal=replace(run.principal, user=by.user, source=by.source))
        call = replace(call, arguments={**call.arguments, **arguments})
        self.prepare(call, run)
        old = await self.refuse(approval_id, by, "changed by hand")
        step = await self.run(call, run, reason=old.reason)
        if step.status is not Status.APPROVAL_REQUIRED or step.approval_id is None:
            return old, step
        return await self.resume(step.approval_id, by)

    async def apply_plan(
        self, plan_id: str, by: Principal, only: tuple[int, ...] = ()
    ) -> list[tuple[Approval, StepResult]]:
        """Approve a plan and run exactly its steps, in order, each through policy again; a step that fails is the last.

        When any step would be refused by now, those refusals are the answer and nothing ran; while more people must
        say yes, every step still waits. Raises what ``PlanBook.claim`` raises; then nothing ran.
        """
        steps = await self.approvals.plans.chosen(plan_id, only)
        refused = [(step, result) for step in steps if (result := await self._refusal_now(step)) is not None]
        if refused:
            return refused
        approved = await self.approvals.plans.claim(plan_id, by, only)
        if not approved:
            for step in steps:
                await self._record_ruling(replace(step, resolved_by=by.user), Result.VOTED)
            return [(step, await self._short_of_quorum(step)) for step in steps]
        done: list[tuple[Approval, StepResult]] = []
        changed: tuple[str, ...] = ()
        for step in approved:
            done.append(await self._use(step, changed))
            if done[-1][1].status is not Status.OK:
                break
            changed += _changed_paths(step)
        return done

    async def _refusal_now(self, step: Approval) -> StepResult | None:
        """Say how a step of a pending plan would be refused if it ran now; None when it would not be."""
        if step.status is not ApprovalStatus.PENDING:
            return None
        self.approvals.check_here(step)
        call, run = self._frozen(step)
        try:
            prepared = self.prepare(call, run)
        except InvalidArgumentsError as error:
            return await self._invalid(call, run, error)
        request = Request(call, run, prepared.effects, prepared.decision, prepared.digest)
        refused = self.approvals.difference(step, request)
        return None if refused is None else await self._refused(request, refused)

    async def refuse_plan(self, plan_id: str, by: Principal) -> Plan:
        """Deny a plan and every step of it, for the record."""
        plan = await self.approvals.plans.deny(plan_id, by)
        for step in plan.steps:
            if step.status is ApprovalStatus.DENIED:
                await self._record_ruling(step, Result.DENIED)
        return plan

    async def revoke_grant(self, grant_id: str, by: Principal) -> Grant:
        """End a standing ruling, for the record."""
        grant = await self.approvals.grants.revoke(grant_id)
        await self.audit.append(
            AuditRecord(
                kind=Kind.APPROVAL,
                org=by.org,
                user=by.user,
                source=str(by.source),
                tool=grant.tool,
                digest=grant.digest,
                result=Result.CHANGED,
                error=f"grant {grant.id[:8]} revoked",
            )
        )
        return grant

    async def _approved(self, request: Request, prepared: Prepared, permit: Permit) -> StepResult:
        """Run with a permit; a ruling that is not policy's own alone is recorded first, its outcome after."""
        how = _how_approved(permit)
        if how is not None:
            await self.audit.append(record_of(request, how, kind=Kind.APPROVAL, permit=permit))
        result = await self._permitted(request, prepared, permit)
        if permit.approval_id is not None:
            await self.approvals.record_outcome(permit.approval_id, str(result.status))
            return replace(result, approval_id=permit.approval_id)
        return result

    async def _edited(self, request: Request, call: ToolCall, edits: int) -> StepResult:
        if edits >= MAX_EDITS:
            return await self._refused(request, Refused("it was changed too often", "approval-edits"))
        step = await self.run(call, request.run, reason=request.reason, edits=edits + 1)
        told = f"A person changed this call to {canonical_json(call.arguments)} first.\n"
        return replace(step, text=self.redactor.text(told) + step.text)

    async def _planned(self, request: Request, approval: Approval) -> StepResult:
        entry = await self.audit.append(record_of(request, Result.PLANNED))
        text = (
            f"Planned as step {approval.plan_index}: it was not run. Go on as if it will be; the whole plan is shown "
            "to a human."
        )
        return replace(self._refusal(request, Status.PLANNED, text, entry.id), approval_id=approval.id)

    async def _permitted(self, request: Request, prepared: Prepared, permit: Permit) -> StepResult:
        key = ResultCache.key(request.digest, self.rules.digest)
        if prepared.tool.read_only:
            hit = self.cache.get(key)
            if hit is not None:
                entry = await self.audit.append(record_of(request, Result.CACHE_HIT, permit=permit))
                return self._result(request, hit, entry.id, cached=True)
        else:
            self.cache.clear()
        intent = record_of(request, Result.INTENT, kind=Kind.CALL_INTENT, permit=permit)
        try:
            hold, entry = await self._intend(request, prepared, intent)
        except BudgetExceededError as error:
            record = record_of(request, Result.BUDGET_EXCEEDED, permit=permit, error=str(error))
            entry = await self.audit.append(record)
            return self._refusal(request, Status.BUDGET_EXCEEDED, f"Refused: {error}", entry.id)
        except AlreadyBegunError as error:
            record = record_of(request, Result.INTERRUPTED, permit=permit, error=str(error))
            entry = await self.audit.append(record)
            return self._refusal(request, Status.INTERRUPTED, f"Interrupted: {error}", entry.id)
        started = self.clock.monotonic()
        with noting_executions() as executions:
            output = await self._execute(intent, prepared, replace(permit, audit_id=entry.id), started)
        if output.cost_usd < hold.amount_usd:
            output = replace(output, cost_usd=hold.amount_usd)
        duration_s = self.clock.monotonic() - started
        clean = self._redacted(output)
        entry = await self.audit.append(outcome_of(intent, _result_word(output), clean, duration_s, executions))
        await self.ledger.settle(hold, output.cost_usd)
        if prepared.tool.read_only and clean.ok:
            self.cache.put(key, clean)
        return self._result(request, clean, entry.id, duration_s=duration_s)

    async def _intend(
        self, request: Request, prepared: Prepared, intent: AuditRecord
    ) -> tuple[Reservation, AuditEntry]:
        """Reserve what the call costs, then make its intent durable; both at once when it costs nothing.

        Raises ``BudgetExceededError``, and ``AlreadyBegunError`` for a call that must not be begun a second time.
        """
        run, tool = request.run, prepared.tool
        user, price = run.principal.user, self.ledger.tool_price(request.call.name)
        family: Any = {"parent_id": run.parent_id, "run_limit_usd": run.max_cost_usd}
        repeatable = tool.read_only or tool.idempotent or not run.once
        checks = [] if repeatable else [begins_once(run, self.clock.now())]
        if price == 0:
            hold, covers = self.ledger.unheld(user, run.id, **family)
            return hold, await self.audit.append(intent, guard=_all_of(covers, *checks))
        with self.tracer.span("security.reserve_budget"):
            hold = await self.ledger.reserve(user, run.id, price, **family)
        try:
            return hold, await self.audit.append(intent, guard=_all_of(*checks))
        except AlreadyBegunError:
            await self.ledger.release(hold)
            raise

    async def _execute(self, intent: AuditRecord, prepared: Prepared, permit: Permit, started: float) -> ToolOutput:
        try:
            return await prepared.tool.run(prepared.args, permit)
        except asyncio.CancelledError:
            record = interrupted_of(intent, self.clock.monotonic() - started)
            await asyncio.shield(self.audit.append(record))
            raise
        except AkiliError as error:
            hint = f" ({error.hint})" if error.hint else ""
            prefix = "Refused" if isinstance(error, RefusedError) else "Error"
            refused = {"refused": True} if isinstance(error, RefusedError) else {}
            return ToolOutput(f"{prefix}: {error}{hint}", ok=False, metadata=refused)

    def _redacted(self, output: ToolOutput) -> ToolOutput:
        metadata = self.redactor.value(dict(output.metadata))
        return replace(
            output,
            text=self.redactor.text(output.text),
            metadata=metadata if isinstance(metadata, dict) else {},
            untrusted=None if output.untrusted is None else self.redactor.text(output.untrusted),
        )

    async def _invalid(self, call: ToolCall, run: Run, error: InvalidArgumentsError) -> StepResult:
        record = AuditRecord(
            kind=Kind.CALL_OUTCOME,
            **who(run),
            call_id=call.id,
            tool=call.name[:200],
            parameters=dict(call.arguments),
            result=Result.INVALID,
            error=str(error),
        )
        entry = await self.audit.append(record)
        hint = f" ({error.hint})" if error.hint else ""
        text = self.redactor.text(f"Invalid: {error}{hint}")
        return StepResult(self._shown(call), Status.INVALID, text, entry.id)

    async def _refused(self, request: Request, refused: Refused) -> StepResult:
        by_person = request.decision.verdict is not Verdict.DENY
        result = Result.DENIED if by_person else Result.POLICY_DENIED
        entry = await self.audit.append(record_of(request, result, error=refused.because))
        origin = "" if by_person else f", {request.decision.ruling.origin}"
        text = f"Refused: {refused.because} (rule {refused.rule_id}{origin})"
        return replace(self._refusal(request, Status.DENIED, text, entry.id), approval_id=refused.approval_id)

    async def _held(self, request: Request, approval: Approval) -> StepResult:
        entry = await self.audit.append(record_of(request, Result.APPROVAL_PENDING))
        ruling = request.decision.ruling
        text = (
            f"Waiting for approval {approval.id}: {approval.because} (rule {ruling.rule_id}, {ruling.origin}). "
            "A human must decide; do not ask for it again."
        )
        return replace(self._refusal(request, Status.APPROVAL_REQUIRED, text, entry.id), approval_id=approval.id)

    async def _record_ruling(self, approval: Approval, result: Result) -> AuditEntry:
        _, run = frozen_call(approval)
        return await self.audit.append(
            AuditRecord(
                kind=Kind.APPROVAL,
                **who(run),
                call_id=approval.call_id,
                tool=approval.tool,
                digest=approval.digest,
                result=result,
                rule=f"{approval.rule_id}@{approval.rule_origin}",
                approved_by=approval.resolved_by or "",
                error=approval.feedback or "",
                facts={} if approval.plan_id is None else {"plan": approval.plan_id},
            )
        )

    def _result(
        self, request: Request, output: ToolOutput, audit_id: str, *, duration_s: float = 0.0, cached: bool = False
    ) -> StepResult:
        layers = output.metadata.get("layers", ())
        return StepResult(
            call=self._shown(request.call),
            status=_status(output),
            text=output.text,
            audit_id=audit_id,
            decision=request.decision,
            metadata=output.metadata,
            duration_s=duration_s,
            cost_usd=output.cost_usd,
            cached=cached,
            untrusted=output.untrusted,
            layers=tuple(str(name) for name in layers) if isinstance(layers, list | tuple) else (),
        )

    def _refusal(self, request: Request, status: Status, text: str, audit_id: str) -> StepResult:
        call = self._shown(request.call)
        return StepResult(call, status, self.redactor.text(text), audit_id, decision=request.decision)

    def _shown(self, call: ToolCall) -> ToolCall:
        """Give the call as it is answered: nobody is told a secret, not even whoever sent it."""
        arguments = self.redactor.value(dict(call.arguments))
        return replace(call, arguments=arguments if isinstance(arguments, dict) else {})


def frozen_call(approval: Approval) -> tuple[ToolCall, Run]:
    """Give the call an approval froze, and the run it belonged to, as its requester."""
    principal = Principal(approval.user, approval.source, approval.agent, approval.org)
    run = Run(
        id=approval.run_id,
        principal=principal,
        correlation_id=approval.correlation_id,
        conversation_id=approval.conversation_id,
        untrusted=approval.untrusted,
        skill=approval.skill,
    )
    return ToolCall(approval.call_id, approval.tool, approval.arguments), run


def _told(span: Span, step: StepResult) -> None:
    span.set({"akili.status": str(step.status), "akili.cached": step.cached})
    if step.status not in (Status.OK, Status.PLANNED, Status.APPROVAL_REQUIRED):
        span.fail(str(step.status))


def _all_of(*checks: Callable[[Connection], None]) -> Callable[[Connection], None]:
    def check(connection: Connection) -> None:
        for one in checks:
            one(connection)

    return check


def _changed_paths(step: Approval) -> tuple[str, ...]:
    """Give where a step may have changed anything, as its card said."""
    if step.effects.get("opaque"):
        return ("/",)
    kinds = (step.effects.get(kind) for kind in ("writes", "deletes"))
    return tuple(str(path) for paths in kinds if isinstance(paths, list) for path in paths)


def _how_approved(permit: Permit) -> Result | None:
    if permit.approved_by == APPROVER and permit.approval_id is None:
        return Result.AUTO_APPROVED
    if permit.approved_by is not None:
        return Result.APPROVED
    silenced = permit.decision.ruling.rule_id == "autonomous"
    return Result.AUTONOMOUS_APPROVED if silenced else None


def _status(output: ToolOutput) -> Status:
    if output.timed_out:
        return Status.TIMEOUT
    if output.metadata.get("refused"):
        return Status.DENIED
    return Status.OK if output.ok else Status.FAILED


def _result_word(output: ToolOutput) -> Result:
    if output.timed_out:
        return Result.TIMEOUT
    if output.metadata.get("refused"):
        return Result.DENIED
    return Result.SUCCESS if output.ok else Result.FAILURE
