"""Answers questions that came in over the network: the one agent loop, with a journal that survives the process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.llm.providers.builtin import BuiltinModel
from akili_cli.core.agent.journal import KeptJournal
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.agent.report import RunReport
from akili_cli.domain.calls import Principal, Run, Source
from akili_cli.domain.events import Emit
from akili_cli.domain.messages import TextBlock
from akili_cli.domain.ports import NoKnowledge
from akili_cli.features.queries.model import Query
from akili_cli.features.runbooks.service import RunbookService


@dataclass(frozen=True, slots=True)
class AgentAnswers:
    """A ``features.queries.worker.Answerer``; what names a runbook plays exactly that one, without a model."""

    loop: AgentLoop
    runbooks: RunbookService

    async def answer(self, query: Query, steps: Steps, emit: Emit, is_stopped: Callable[[], bool]) -> RunReport:
        """Answer a question as whoever asked it, in its conversation; held calls are waited for."""
        draft, loop = query.draft, self.loop
        if draft.runbook is not None:
            pinned = BuiltinModel(self.runbooks.pinned(draft.runbook, draft.inputs))
            loop = replace(loop, model=pinned, history=None, knowledge=NoKnowledge())
        if draft.max_steps is not None:
            loop = replace(loop, settings=loop.settings.model_copy(update={"max_steps": draft.max_steps}))
        return await loop.run(
            draft.message,
            run_of(query),
            attachments=tuple(TextBlock(one.text, untrusted=one.label) for one in draft.attachments),
            emit=emit,
            timeout_s=draft.timeout_seconds,
            journal=KeptJournal(steps, loop.pipeline.redactor, is_stopped),
        )


def run_of(query: Query) -> Run:
    """Begin, or enter again, the run that answers a question."""
    draft = query.draft
    return Run(
        id=query.id,
        principal=Principal(query.user, Source(query.source), org=query.org),
        correlation_id=query.correlation_id,
        conversation_id=query.conversation_id,
        autonomous=draft.autonomous,
        read_only=draft.read_only,
        plan=draft.plan,
        max_cost_usd=draft.max_cost_usd,
    )
