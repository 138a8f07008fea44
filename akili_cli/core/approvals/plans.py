"""A plan: the ordered calls of one run that were collected instead of run, under one content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals import store
from akili_cli.core.approvals.approvers import Approvers
from akili_cli.core.approvals.inputs import drifted
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.domain.calls import Principal, Run, canonical_json
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, ExpiredError, NotFoundError, UsageError

PREFIX = "plan-"
PLAN_TTL_S = 3600.0
LEFT_OUT = "left out when its plan was applied"
_MOVING = frozenset({"status", "use_expires_at", "resolved_at", "resolved_by", "feedback", "consumed_at", "outcome"})
_INSERT = """
INSERT INTO plans (id, org_id, user_id, run_id, conversation_id, message, hash, status, created_at, expires_at)
VALUES (:id, :org, :user, :run_id, :conversation_id, :message, :hash, :status, :created_at, :expires_at)
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """A stored plan. ``hash`` covers all of every step as it was frozen, its effects and input files among it."""

    id: str
    org: str
    user: str
    run_id: str
    message: str
    hash: str
    status: str
    created_at: float
    expires_at: float
    steps: tuple[Approval, ...]
    conversation_id: str | None = None
    resolved_by: str | None = None
    resolved_at: float | None = None

    def as_dict(self, price: Callable[[str], float] = lambda _tool: 0.0) -> dict[str, object]:
        """Give the plan as it is printed and as ``--json`` shows it; ``price`` gives what one call of a tool costs."""
        return {
            "id": self.id,
            "hash": self.hash,
            "status": self.status,
            "message": self.message,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "cost_usd": sum(price(step.tool) for step in self.steps),
            "steps": [_step_dict(step, price(step.tool)) for step in self.steps],
        }


def _step_dict(step: Approval, cost_usd: float) -> dict[str, object]:
    return {
        "step": step.plan_index,
        "approval_id": step.id,
        "tool": step.tool,
        "arguments": dict(step.arguments),
        "risk": step.risk,
        "rule": step.rule_id,
        "origin": step.rule_origin,
        "because": step.because,
        "host": step.host,
        "cwd": step.cwd,
        "effects": dict(step.effects),
        "reversible": step.effects.get("reversible", True),
        "untrusted": list(step.untrusted),
        "cost_usd": cost_usd,
        "status": str(step.status),
    }


def plan_id_of(run: Run) -> str:
    """Give the id under which a run's planned calls are collected."""
    return PREFIX + run.id.replace("-", "")[:12]


def content_hash(steps: tuple[Approval, ...]) -> str:
    """Give the SHA-256 (hex) over what exactly will run, in order, on what, for whom, where, and until when."""
    frozen = [{name: value for name, value in asdict(step).items() if name not in _MOVING} for step in steps]
    return hashlib.sha256(canonical_json(frozen).encode()).hexdigest()


class PlanBook:
    """The plans of one organisation."""

    def __init__(self, db: Database, org: str, clock: Clock, redactor: Redactor, approvers: Approvers) -> None:
        """Keep the parts."""
        self._approvers = approvers
        self._redactor = redactor
        self._db = db
        self._org = org
        self._clock = clock

    async def seal(self, run: Run, message: str) -> Plan | None:
        """Close a run's plan; None when nothing was planned."""
        plan_id, now = plan_id_of(run), self._clock.now()

        def close(conn: Connection) -> Plan | None:
            steps = tuple(store.of_plan(conn, self._org, plan_id))
            if not steps:
                return None
            plan = Plan(
                id=plan_id,
                org=self._org,
                user=run.principal.user,
                run_id=run.id,
                message=message[:2000],
                hash=content_hash(steps),
                status="pending",
                created_at=now,
                expires_at=min(step.expires_at for step in steps),
                steps=steps,
                conversation_id=run.conversation_id,
            )
            _add(conn, plan)
            return plan

        return await self._db.write(close, durable=True)

    async def get(self, plan_id: str) -> Plan:
        """Find a plan; raises ``NotFoundError``."""

        def read(conn: Connection) -> Plan | None:
            rows = conn.execute(
                "SELECT * FROM plans WHERE org_id = :org AND id = :id", {"org": self._org, "id": plan_id}
            )
            return _plan(rows[0], tuple(store.of_plan(conn, self._org, plan_id))) if rows else None

        plan = await self._db.read(read)
        if plan is None:
            raise NotFoundError(f"no plan {plan_id!r}", hint="see: akili approvals list")
        return plan

    async def chosen(self, plan_id: str, only: tuple[int, ...] = ()) -> tuple[Approval, ...]:
        """Give the steps to apply, in the plan's order; raises ``NotFoundError`` and ``UsageError``."""
        return _chosen(await self.get(plan_id), only)

    async def claim(self, plan_id: str, by: Principal, only: tuple[int, ...] = ()) -> tuple[Approval, ...]:
        """Say yes to the steps of a pending plan and take it for applying, once; give those steps, now approved.

        Gives none while more people must say yes to the same steps. Who may rule, how many must, whether the plan
        is still as it was hashed and still pending is checked in the transaction that takes it, in which steps
        that were not chosen are denied. Raises ``ConflictError`` when it was resolved, is not what was planned, or
        an input of a step changed since; ``ExpiredError`` when it is too late; ``PolicyDeniedError`` when this
        person may not rule on one of the steps; ``UsageError`` for a step that it has not. Then nothing may run.
        """
        plan = await self.get(plan_id)
        changed = [path for step in _chosen(plan, only) for path in drifted(step.inputs, self._redactor)]
        now = self._clock.now()

        def take(conn: Connection) -> tuple[Approval, ...]:
            held = self._held(conn, plan_id, now)
            if changed:
                raise ConflictError(
                    f"{', '.join(dict.fromkeys(changed))} changed since {plan_id} was made; nothing was done",
                    hint="plan again",
                )
            steps = _chosen(held, only)
            for step in steps:
                self._approvers.check(step, by)
            needed = max(self._approvers.needed(step) for step in steps)
            if needed > 1 and store.vote(conn, _ballot(held, steps), by.user, now) < needed:
                return ()
            _resolve(conn, held, by.user, "applied", now)
            return tuple(step for step in self._ruled(conn, held, steps, by, now) if step.plan_index in _indexes(steps))

        return await self._db.write(take, durable=True)

    def _held(self, conn: Connection, plan_id: str, now: float) -> Plan:
        """Lock a plan that is pending, in time, and still what was hashed."""
        values = {"org": self._org, "id": plan_id}
        lock = "UPDATE plans SET status = status WHERE org_id = :org AND id = :id AND status = 'pending'"
        locked = conn.changed(lock, values) == 1
        row = conn.execute("SELECT * FROM plans WHERE org_id = :org AND id = :id", values)[0]
        plan = _plan(row, tuple(store.of_plan(conn, self._org, plan_id)))
        if not locked:
            raise ConflictError(f"{plan_id} is already {plan.status}; nothing was done now")
        if content_hash(plan.steps) != plan.hash:
            raise ConflictError(f"{plan_id} is not what was planned; nothing was done")
        if min(plan.expires_at, *(step.expires_at for step in plan.steps)) <= now:
            raise ExpiredError(f"{plan_id} has expired", hint="plan again; nothing was done")
        return plan

    def _ruled(
        self, conn: Connection, plan: Plan, chosen: tuple[Approval, ...], by: Principal, now: float
    ) -> list[Approval]:
        ruled = []
        for step in plan.steps:
            yes = step.plan_index in _indexes(chosen)
            one = replace(
                step,
                status=ApprovalStatus.APPROVED if yes else ApprovalStatus.DENIED,
                resolved_by=by.user,
                resolved_at=now,
                feedback=None if yes else LEFT_OUT,
                use_expires_at=now + PLAN_TTL_S if yes else None,
            )
            if not store.resolve(conn, one):
                raise ConflictError(f"step {step.plan_index} of {plan.id} was ruled on already; nothing was done")
            ruled.append(one)
        return ruled

    async def deny(self, plan_id: str, by: Principal) -> Plan:
        """Refuse a plan and every step of it that still waits.

        Raises ``ConflictError`` when it was resolved, ``PolicyDeniedError`` when this person may not rule on a step.
        """
        plan = await self.get(plan_id)
        now = self._clock.now()

        def refuse(conn: Connection) -> bool:
            for step in plan.steps:
                self._approvers.check_denial(step, by)
            if not _resolve(conn, plan, by.user, "denied", now):
                return False
            for step in plan.steps:
                no = replace(step, status=ApprovalStatus.DENIED, resolved_by=by.user, resolved_at=now)
                store.resolve(conn, replace(no, feedback="the plan was denied"))
            return True

        if not await self._db.write(refuse, durable=True):
            raise ConflictError(f"{plan_id} is already {(await self.get(plan_id)).status}")
        return await self.get(plan_id)


def _chosen(plan: Plan, only: tuple[int, ...]) -> tuple[Approval, ...]:
    unknown = set(only) - _indexes(plan.steps)
    if unknown:
        raise UsageError(f"{plan.id} has no step {', '.join(map(str, sorted(unknown)))}")
    return tuple(step for step in plan.steps if not only or step.plan_index in only)


def _indexes(steps: tuple[Approval, ...]) -> set[int]:
    return {step.plan_index for step in steps if step.plan_index is not None}


def _ballot(plan: Plan, steps: tuple[Approval, ...]) -> str:
    """Give the name under which votes for exactly these steps are counted."""
    return f"{plan.id}:{plan.hash[:16]}:{','.join(map(str, sorted(_indexes(steps))))}"


def _add(conn: Connection, plan: Plan) -> None:
    conn.execute(
        _INSERT,
        {
            "id": plan.id,
            "org": plan.org,
            "user": plan.user,
            "run_id": plan.run_id,
            "conversation_id": plan.conversation_id,
            "message": plan.message,
            "hash": plan.hash,
            "status": plan.status,
            "created_at": plan.created_at,
            "expires_at": plan.expires_at,
        },
    )


def _resolve(conn: Connection, plan: Plan, by: str, status: str, now: float) -> bool:
    sql = (
        "UPDATE plans SET status = :status, resolved_by = :by, resolved_at = :now "
        "WHERE org_id = :org AND id = :id AND status = 'pending'"
    )
    return conn.changed(sql, {"status": status, "by": by, "now": now, "org": plan.org, "id": plan.id}) == 1


def _plan(row: Row, steps: tuple[Approval, ...]) -> Plan:
    values = {**row, "org": row["org_id"], "user": row["user_id"], "steps": steps}
    del values["org_id"], values["user_id"]
    return Plan(**values)  # type: ignore[arg-type]  # the row has the columns of the dataclass
