"""A pipeline over real parts: policy, approvals, audit, budget and SQLite; only the tools are the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals.approvers import Approvers, Power, PowerOf
from akili_cli.core.approvals.model import NO_OFFER, Answer, AnswerKind, Approval, Asker, Offer
from akili_cli.core.approvals.queue import ApprovalQueue
from akili_cli.core.approvals.request import Place
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditEntry
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.core.execution.cache import ResultCache
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.policy.compile import PolicySpec, RoleSpec, compile_rules
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.model import Rule
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal, Run, Source, ToolCall
from akili_cli.domain.errors import AkiliError
from akili_cli.domain.risk import Risk
from tests.fakes.clock import FakeClock
from tests.fakes.tools import FakeTool

KEY = b"k" * 32
OPERATOR = RoleSpec("operator", ("look", "change", "destroy"), Risk.MEDIUM)
VIEWER = RoleSpec("viewer", ("look",), Risk.LOW)
ROLES = {"ann": "operator", "ben": "operator", "vic": "viewer"}


class ScriptedAsker:
    """Answers every card with the same words, and remembers the cards."""

    def __init__(self, kind: AnswerKind = AnswerKind.ONCE, feedback: str = "") -> None:
        self.answer = Answer(kind, feedback)
        self.cards: list[Approval] = []

    async def ask(self, approval: Approval, _offer: Offer = NO_OFFER) -> Answer:
        self.cards.append(approval)
        return self.answer


@dataclass(slots=True)
class Bench:
    db: Database
    clock: FakeClock
    audit: AuditLog
    pipeline: Pipeline
    redactor: Redactor

    async def records(self) -> list[AuditEntry]:
        """Give every record of calls, models and approvals, oldest first."""
        entries = await AuditReader(self.db, "default").tail(1000)
        return [entry for entry in entries if entry.record.kind != "audit"]

    async def results(self) -> list[str]:
        return [str(entry.record.result) for entry in await self.records()]

    def with_rules(self, *rules: Rule, roles: tuple[RoleSpec, ...] = (OPERATOR, VIEWER)) -> Pipeline:
        """Give the same pipeline under another policy."""
        return replace(self.pipeline, rules=rules_of(*rules, roles=roles))


def rules_of(
    *rules: Rule, roles: tuple[RoleSpec, ...] = (OPERATOR, VIEWER), protected: tuple[str, ...] = ()
) -> RuleSet:
    return RuleSet(compile_rules(PolicySpec(roles=roles, rules=rules, protected=protected)))


def any_power(_by: Principal) -> Power:
    return Power("operator", Risk.CRITICAL)


def queue_on(
    db: Database,
    clock: FakeClock,
    *,
    asker: Asker | None = None,
    redactor: Redactor | None = None,
    power_of: PowerOf = any_power,
    **settings: object,
) -> ApprovalQueue:
    return ApprovalQueue(
        db,
        Approvers(ApprovalSettings.model_validate(settings), power_of),
        clock,
        org="default",
        place=Place("web1", "/srv"),
        protected=("/home/ann/.akili",),
        redactor=redactor or Redactor(),
        asker=asker,
    )


@asynccontextmanager
async def open_bench(
    directory: Path,
    tools: Iterable[FakeTool],
    *rules: Rule,
    asker: Asker | None = None,
    limit_usd: float = 10.0,
    db: Database | None = None,
    **approval: object,
) -> AsyncIterator[Bench]:
    clock, redactor = FakeClock(), Redactor()
    own: SqliteDatabase | None = None
    if db is None:
        db = own = await open_sqlite(directory / "akili.db")
    audit = await open_audit_log(db, directory / "audit", KEY, clock, redactor, "default")
    pipeline = Pipeline(
        tools=ToolBox(tools),
        rules=rules_of(*rules),
        role_of=lambda principal: ROLES.get(principal.user),
        approvals=queue_on(db, clock, asker=asker, redactor=redactor, **approval),
        cache=ResultCache(clock),
        ledger=Ledger(db, "default", BudgetSettings(default_limit_usd=limit_usd), clock),
        audit=audit,
        redactor=redactor,
        clock=clock,
    )
    try:
        yield Bench(db, clock, audit, pipeline, redactor)
    finally:
        with suppress(AkiliError):
            await audit.close()
        if own is not None:
            await own.close()


def run_by(
    user: str = "ann",
    *,
    source: Source = Source.CLI,
    agent: str | None = None,
    conversation_id: str | None = None,
    untrusted: tuple[str, ...] = (),
    autonomous: bool = False,
    read_only: bool = False,
    max_cost_usd: float | None = None,
) -> Run:
    return Run(
        id="run-1",
        principal=Principal(user, source, agent),
        correlation_id="c" * 16,
        conversation_id=conversation_id,
        untrusted=untrusted,
        autonomous=autonomous,
        read_only=read_only,
        max_cost_usd=max_cost_usd,
    )


def call_of(name: str = "look", path: object = "/srv/x", *, id: str = "call-1") -> ToolCall:  # noqa: A002 - its name
    return ToolCall(id, name, {"path": path})
