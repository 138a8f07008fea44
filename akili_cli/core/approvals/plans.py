"""A plan: the ordered calls of one run that were collected instead of run, under one content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals import store
from akili_cli.core.approvals.inputs import drifted
from akili_cli.core.approvals.model import Approval
from akili_cli.domain.calls import Run, canonical_json
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, ExpiredError, NotFoundError, UsageError

PREFIX = "plan-"
_INSERT = """
INSERT INTO plans (id, org_id, user_id, run_id, conversation_id, message, hash, status, created_at, expires_at)
VALUES (:id, :org, :user, :run_id, :conversation_id, :message, :hash, :status, :created_at, :expires_at)
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """A stored plan. ``hash`` covers every step's digest, effects, risk and the state of its input files."""

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

    def as_dict(self) -> dict[str, object]:
        """Give the plan as it is printed and as ``--json`` shows it."""
        return {
            "id": self.id,
            "hash": self.hash,
            "status": self.status,
            "message": self.message,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "steps": [
                {
                    "step": step.plan_index,
                    "approval_id": step.id,
                    "tool": step.tool,
                    "arguments": dict(step.arguments),
                    "risk": step.risk,
                    "rule": step.rule_id,
                    "effects": dict(step.effects),
                    "reversible": step.effects.get("reversible", True),
                    "status": str(step.status),
                }
                for step in self.steps
            ],
        }


def plan_id_of(run: Run) -> str:
    """Give the id under which a run's planned calls are collected."""
    return PREFIX + run.id.replace("-", "")[:12]


def content_hash(steps: tuple[Approval, ...]) -> str:
    """Give the SHA-256 (hex) over what exactly will run, in order, on what."""
    body = [[s.plan_index, s.digest, s.risk, s.tool, s.arguments, s.effects, s.inputs] for s in steps]
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


class PlanBook:
    """The plans of one organisation."""

    def __init__(self, db: Database, org: str, clock: Clock, redactor: Redactor) -> None:
        """Keep the parts."""
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

    async def claim(self, plan_id: str, by: str, only: tuple[int, ...] = ()) -> tuple[Approval, ...]:
        """Take a pending plan for applying, once, and give the steps to apply.

        Raises ``ConflictError`` when it was resolved, when its content is not what was hashed, or when any input
        of the steps to apply changed since; ``ExpiredError`` when it is too late; ``UsageError`` for a step that
        it has not. Then nothing may run.
        """
        plan = await self.get(plan_id)
        chosen = tuple(step for step in plan.steps if not only or step.plan_index in only)
        unknown = set(only) - {step.plan_index for step in plan.steps}
        if unknown:
            raise UsageError(f"{plan_id} has no step {', '.join(map(str, sorted(unknown)))}")
        if content_hash(plan.steps) != plan.hash:
            raise ConflictError(f"{plan_id} is not what was planned; nothing was done")
        now = self._clock.now()
        if plan.status == "pending" and plan.expires_at <= now:
            raise ExpiredError(f"{plan_id} has expired", hint="plan again; nothing was done")
        changed = [path for step in chosen for path in drifted(step.inputs, self._redactor)]
        if changed and plan.status == "pending":
            raise ConflictError(
                f"{', '.join(dict.fromkeys(changed))} changed since {plan_id} was made; nothing was done",
                hint="plan again",
            )
        won = await self._db.write(lambda conn: _resolve(conn, plan, by, "applied", now), durable=True)
        if not won:
            raise ConflictError(f"{plan_id} is already {(await self.get(plan_id)).status}; nothing was done now")
        return chosen

    async def deny(self, plan_id: str, by: str) -> Plan:
        """Refuse a plan whole."""
        plan = await self.get(plan_id)
        now = self._clock.now()
        if not await self._db.write(lambda conn: _resolve(conn, plan, by, "denied", now), durable=True):
            raise ConflictError(f"{plan_id} is already {plan.status}")
        return plan


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
