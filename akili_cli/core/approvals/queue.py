"""Turns a decision into a permit, a wait or a refusal, and holds what waits. The only maker of permits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals import store
from akili_cli.core.approvals.approvers import Approvers
from akili_cli.core.approvals.auto import APPROVER, AutoApproval
from akili_cli.core.approvals.grants import GrantBook
from akili_cli.core.approvals.inputs import changed_effects, drifted, inputs_of
from akili_cli.core.approvals.model import AnswerKind, Approval, ApprovalStatus, Asker
from akili_cli.core.approvals.plans import PLAN_TTL_S, PlanBook, plan_id_of
from akili_cli.core.approvals.request import Edited, Held, Place, Planned, Refused, Request, Settled, asked_of
from akili_cli.domain.calls import Principal, call_digest, canonical_json
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit, Verdict
from akili_cli.domain.errors import ConflictError, ExpiredError, NotFoundError, PolicyDeniedError
from akili_cli.domain.ids import new_approval_id, new_uuid
from akili_cli.domain.paths import is_within_any
from akili_cli.domain.risk import parse_risk

PERMIT_TTL_S = 3600.0
MIN_TYPED, ID_CHARS = 4, 32
RULING_POLL_S = 1.0


class ApprovalQueue:
    """Approvals of one organisation. Without an asker nobody is at the terminal and asks are held."""

    def __init__(
        self,
        db: Database,
        approvers: Approvers,
        clock: Clock,
        *,
        org: str,
        place: Place,
        protected: tuple[str, ...],
        redactor: Redactor,
        asker: Asker | None = None,
    ) -> None:
        """Keep the parts; ``protected`` paths travel with every permit so that no door opens them."""
        self._db = db
        self._redactor = redactor
        self._settings = settings = approvers.settings
        self._clock = clock
        self._org = org
        self.place = place
        self._protected = protected
        self.asker = asker
        self.approvers = approvers
        self.grants = GrantBook(db, org, clock, settings.grant_ttl_seconds, redactor)
        self.plans = PlanBook(db, org, clock, redactor, self.approvers)
        self._auto = AutoApproval(db, org, clock, settings.auto_approval)

    async def settle(self, request: Request) -> Settled:
        """Rule on a decided call.

        1. A deny is final. 2. In a plan run what would change anything is collected. 3. An allow gives a permit.
        4. An ask that a standing grant or smart auto-approval covers gives one too. 5. Any other ask is stored
        first; 6. whoever is at the terminal is shown it; 7. an approval is consumed, durably, before the permit
        exists. An answer that came too late, or from somebody who may not rule, is a refusal.
        """
        decision = request.decision
        if decision.verdict is Verdict.DENY:
            return Refused(decision.ruling.because, decision.ruling.rule_id)
        if self._hides_secret(request):
            return Refused(
                "the arguments hold a secret in an encoded form, which could not be held for a human; "
                "write the plain value or its reference",
                "approval-secret",
            )
        if request.run.plan and (decision.verdict is Verdict.ASK or request.effects.changes or request.effects.hosts):
            return await self._planned(request)
        if decision.verdict is Verdict.ALLOW:
            return self._permit(request)
        asked = asked_of(request)
        grant = await self.grants.use(asked)
        if grant is not None:
            return self._permit(request, approved_by=f"{grant.created_by} (grant {grant.id[:8]})")
        if await self._auto.claim(asked):
            return self._permit(request, approved_by=APPROVER)
        return await self._ask(request)

    def _hides_secret(self, request: Request) -> bool:
        """Tell whether what would be stored still held a registered value after sealing: then nothing is stored."""
        if request.decision.verdict is Verdict.ALLOW and not request.run.plan:
            return False
        return self._redactor.holds_registered(canonical_json(self._redactor.seal(request.call.arguments)))

    async def _planned(self, request: Request) -> Planned:
        plan_id = plan_id_of(request.run)
        frozen = await self._freeze(request)

        def append(conn: Connection) -> Approval:
            number = len(store.of_plan(conn, self._org, plan_id)) + 1
            step = replace(frozen, plan_id=plan_id, plan_index=number, waits=False)
            store.add(conn, step)
            return step

        return Planned(await self._db.write(append, durable=True))

    async def _ask(self, request: Request) -> Settled:
        approval = await self._freeze(request)
        await self._db.write(lambda conn: store.add(conn, approval), durable=True)
        if self.asker is None:
            return Held(approval)
        answer = await self.asker.ask(approval, self.grants.offer(asked_of(request)))
        principal, rule_id = request.run.principal, request.decision.ruling.rule_id
        try:
            match answer.kind:
                case AnswerKind.DENY:
                    await self.deny(approval.id, principal, answer.feedback)
                    told = f": {answer.feedback}" if answer.feedback else ""
                    return Refused(f"{principal.user} said no{told}", rule_id, approval.id)
                case AnswerKind.EDIT:
                    await self.deny(approval.id, principal, "changed by hand")
                    return Edited(
                        replace(request.call, arguments={**request.call.arguments, **(answer.arguments or {})})
                    )
                case _:
                    return await self._approved_here(request, approval, answer.kind)
        except (ConflictError, PolicyDeniedError) as error:
            return Refused(str(error), rule_id, approval.id)

    async def _approved_here(self, request: Request, approval: Approval, kind: AnswerKind) -> Settled:
        principal = request.run.principal
        ruled = await self.approve(approval.id, principal)
        if ruled.status is not ApprovalStatus.APPROVED:
            return Held(ruled)
        if kind is not AnswerKind.ONCE:
            await self.grants.give(kind, asked_of(request), approval_id=approval.id, by=principal.user)
        used = await self.consume(approval.id)
        changed = await asyncio.to_thread(drifted, used.inputs, self._redactor)
        if changed:
            return Refused(f"{', '.join(changed)} changed while it was asked", "approval-inputs", approval.id)
        return self._permit(request, approved_by=principal.user, approval_id=approval.id)

    async def _freeze(self, request: Request) -> Approval:
        """Make what is stored and shown: registered secrets are sealed, the digest is that of the exact call."""
        hide = self._redactor
        arguments, effects = hide.seal(request.call.arguments), hide.value(request.effects.as_dict())
        inputs = hide.seal(await asyncio.to_thread(inputs_of, request.effects))
        run, ruling = request.run, request.decision.ruling
        now = self._clock.now()
        return Approval(
            id=new_approval_id(),
            org=self._org,
            user=run.principal.user,
            source=run.principal.source,
            agent=run.principal.agent,
            run_id=run.id,
            correlation_id=run.correlation_id,
            conversation_id=run.conversation_id,
            call_id=request.call.id,
            tool=request.call.name,
            arguments=arguments if isinstance(arguments, dict) else {},
            digest=request.digest,
            risk=str(request.decision.risk),
            effects=effects if isinstance(effects, dict) else {},
            rule_id=ruling.rule_id,
            rule_origin=str(ruling.origin),
            because=hide.text("; ".join((ruling.because, *request.decision.risk_reasons))),
            reason=hide.text(request.reason),
            untrusted=tuple(hide.text(label) for label in run.untrusted),
            cwd=self.place.cwd,
            host=self.place.host,
            created_at=now,
            expires_at=now + (PLAN_TTL_S if run.plan else self._settings.ttl_seconds),
            inputs={path: str(digest) for path, digest in inputs.items()} if isinstance(inputs, dict) else {},
            skill=run.skill,
            waits=bool(run.once),
        )

    def _permit(self, request: Request, *, approved_by: str | None = None, approval_id: str | None = None) -> Permit:
        return Permit(
            id=new_uuid(),
            digest=request.digest,
            tool=request.call.name,
            user=request.run.principal.user,
            effects=request.effects,
            decision=request.decision,
            expires_at=self._clock.now() + PERMIT_TTL_S,
            approved_by=approved_by,
            approval_id=approval_id,
            protected=self._protected,
            run_id=request.run.id,
            call_id=request.call.id,
            source=str(request.run.principal.source),
        )

    async def get(self, approval_id: str) -> Approval:
        """Find one by id or by an unambiguous beginning of it (4 characters at least).

        Raises ``NotFoundError``, and ``ConflictError`` when more than one begins like that.
        """
        await self.expire()
        typed = approval_id.strip().lower()
        if MIN_TYPED <= len(typed) <= ID_CHARS and typed.isalnum():
            found = await self._db.read(lambda conn: store.find(conn, self._org, typed))
            if len(found) == 1:
                return found[0]
            if found:
                raise ConflictError(f"more than one approval begins with {typed}", hint="type more of the id")
        raise NotFoundError(f"no approval {approval_id[:40]!r}", hint="see: akili approvals list")

    async def seen_by(
        self,
        by: Principal,
        status: ApprovalStatus | None = None,
        *,
        before: tuple[float, str] | None = None,
        limit: int,
    ) -> list[Approval]:
        """List what is shown to somebody, newest first, from after the (time, id) given."""
        await self.expire()
        chosen = None if status is None else str(status)
        risks = self.approvers.seen_risks(by)
        return await self._db.read(
            lambda conn: store.seen(conn, self._org, by.user, risks, status=chosen, before=before, limit=limit)
        )

    async def list(self, status: ApprovalStatus | None = None, limit: int = 50) -> list[Approval]:
        """List approvals, newest first."""
        await self.expire()
        chosen = None if status is None else str(status)
        return await self._db.read(lambda conn: store.listing(conn, self._org, status=chosen, limit=limit))

    async def expire(self) -> None:
        """Mark what is overdue."""
        now = self._clock.now()
        await self._db.write(lambda conn: store.expire(conn, self._org, now))

    async def approve(self, approval_id: str, by: Principal) -> Approval:
        """Say yes to a pending approval; once enough people have, it must be used within the use limit.

        Gives the approval as it then is: still pending while a quorum is missing. Who may rule and how many must
        is checked in the store's transaction. Raises ``PolicyDeniedError`` when this person may not rule on it,
        ``ConflictError`` when it is resolved already, ``ExpiredError`` when it is too late.
        """
        approval = await self.get(approval_id)
        now = self._clock.now()

        def rule(conn: Connection) -> Approval | None:
            held = store.lock(conn, self._org, approval.id)
            if held is None:
                return None
            self.approvers.check(held, by)
            if store.vote(conn, held.id, by.user, now) < self.approvers.needed(held):
                return held
            yes = replace(
                held,
                status=ApprovalStatus.APPROVED,
                resolved_by=by.user,
                resolved_at=now,
                use_expires_at=now + self._settings.use_ttl_seconds,
            )
            return yes if store.resolve(conn, yes) else None

        ruled = await self._db.write(rule, durable=True)
        if ruled is None:
            raise await self._too_late(approval.id)
        return ruled

    async def deny(self, approval_id: str, by: Principal, feedback: str = "") -> Approval:
        """Say no. Anybody who may rule may deny, the requester always; others get ``PolicyDeniedError``."""
        approval = await self.get(approval_id)
        no = replace(
            approval,
            status=ApprovalStatus.DENIED,
            resolved_by=by.user,
            feedback=self._redactor.text(feedback) or None,
            resolved_at=self._clock.now(),
        )

        def rule(conn: Connection) -> bool:
            self.approvers.check_denial(approval, by)
            return store.resolve(conn, no)

        if not await self._db.write(rule, durable=True):
            raise await self._too_late(approval.id)
        return no

    async def consume(self, approval_id: str) -> Approval:
        """Use an approved one up, durably, before its effect.

        Raises ``ConflictError`` or ``ExpiredError`` when it cannot be used (any more); then nothing may run.
        """
        now = self._clock.now()
        got = await self._db.write(lambda conn: store.consume(conn, self._org, approval_id, now), durable=True)
        if not got:
            raise await self._too_late(approval_id)
        return await self.get(approval_id)

    async def _too_late(self, approval_id: str) -> ConflictError:
        now = await self.get(approval_id)
        short = approval_id[:8]
        match now.status:
            case ApprovalStatus.EXPIRED:
                return ExpiredError(f"approval {short} has expired", hint="ask again; nothing was done")
            case ApprovalStatus.CONSUMED:
                outcome = f" ({now.outcome})" if now.outcome else ""
                return ConflictError(f"approval {short} was already used{outcome}; nothing was done now")
            case _:
                by = f" by {now.resolved_by}" if now.resolved_by else ""
                return ConflictError(f"approval {short} is already {now.status}{by}; nothing was done now")

    def check_here(self, approval: Approval) -> None:
        """Raise ``ConflictError`` when the call was asked for on another machine than this."""
        if approval.host != self.place.host:
            raise ConflictError(
                f"{approval.id[:8]} was asked for on {approval.host}, and this is {self.place.host}; nothing was done",
                hint=f"approve it on {approval.host}",
            )

    def difference(self, approval: Approval, request: Request) -> Refused | None:
        """Say why a call, as it is understood now, is not what was approved, or may not run any more.

        It must be the same call, not denied by now, of no higher risk, and do exactly what the card showed.
        """
        decision = request.decision
        if request.digest != approval.digest:
            return Refused("the call differs from what was approved", "approval-digest", approval.id)
        if decision.verdict is Verdict.DENY:
            return Refused(decision.ruling.because, decision.ruling.rule_id, approval.id)
        if decision.risk > parse_risk(approval.risk):
            because = f"it counts as {decision.risk} risk now and was approved as {approval.risk}"
            return Refused(because, "approval-risk", approval.id)
        now = self._redactor.value(request.effects.as_dict())
        changed = changed_effects(approval.effects, now if isinstance(now, dict) else {})
        if changed is not None:
            return Refused(
                f"what it would do changed since it was asked for: {changed}", "approval-effects", approval.id
            )
        return None

    async def claimed_permit(
        self, approval: Approval, request: Request, own_changes: tuple[str, ...] = ()
    ) -> Permit | Refused:
        """Give the permit for a consumed approval, if the call is still exactly the frozen one and may run.

        A changed input file voids it, but for those below ``own_changes``: what earlier steps of its plan change.
        """
        refused = self.difference(approval, request)
        if refused is not None:
            return refused
        if approval.status is not ApprovalStatus.CONSUMED:
            return Refused("the approval was not used up first", "approval-state", approval.id)
        inputs = {path: digest for path, digest in approval.inputs.items() if not is_within_any(path, own_changes)}
        changed = await asyncio.to_thread(drifted, inputs, self._redactor)
        if changed:
            return Refused(f"{', '.join(changed)} changed since it was asked for", "approval-inputs", approval.id)
        return self._permit(request, approved_by=approval.resolved_by, approval_id=approval.id)

    async def ruled(self, approval_id: str) -> Approval:
        """Wait until somebody has ruled on a pending approval, or it has expired."""
        while (approval := await self.get(approval_id)).status is ApprovalStatus.PENDING:
            await self._clock.sleep(RULING_POLL_S)
        return approval

    async def record_outcome(self, approval_id: str, outcome: str) -> None:
        """Note what came of an approved action."""
        await self._db.write(lambda conn: store.set_outcome(conn, self._org, approval_id, outcome))


def unsealed(approval: Approval, redactor: Redactor) -> Mapping[str, object]:
    """Give exactly the arguments that were asked for: sealed values are put back where that gives the same digest.

    A marker that stood in the call itself stays text, and a secret that is no longer known stays sealed; then the
    digest differs and nothing runs.
    """
    found = redactor.unseal(approval.arguments)
    exact = found if isinstance(found, dict) else {}
    principal = Principal(approval.user, approval.source, approval.agent, approval.org)
    return exact if call_digest(principal, approval.tool, exact) == approval.digest else approval.arguments
