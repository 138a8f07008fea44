"""The loop between model and pipeline: the model asks, the pipeline decides, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from akili_cli.adapters.llm.base import estimate_tokens
from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.core.agent.egress import ModelEgress, guarded, without_secrets
from akili_cli.core.agent.guards import Guards
from akili_cli.core.agent.history import History
from akili_cli.core.agent.journal import Journal, NoJournal
from akili_cli.core.agent.prompt import system_prompt
from akili_cli.core.agent.report import RunReport, worst
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.agent.spans import answer_span, request_span, run_span
from akili_cli.core.agent.spending import Spending
from akili_cli.core.agent.turn import TurnRunner
from akili_cli.core.agent.window import fit
from akili_cli.core.budget.model import Reservation
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Run, Status, StepResult
from akili_cli.domain.errors import BudgetExceededError, ModelError
from akili_cli.domain.events import Emit, Event, silent
from akili_cli.domain.messages import (
    Attempt,
    Completion,
    Message,
    Model,
    ModelRequest,
    TextBlock,
    TextDelta,
    ToolResultBlock,
    ToolUseBlock,
)
from akili_cli.domain.ports import Knowledge

NUDGE = "Your last reply was empty. Answer, or use a tool."


@dataclass(slots=True)
class _State:
    """What grows while a run goes on."""

    run: Run
    messages: list[Message]
    kept: int
    egress: ModelEgress
    steps: list[StepResult] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    answer: str = ""
    error: str = ""
    failure: str = ""
    empty_replies: int = 0
    plan: dict[str, object] | None = None
    cards: tuple[Mapping[str, object], ...] = ()
    last: Completion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLoop:
    """Runs one message to its end.

    ``context_tokens`` is the model's window, ``max_tokens`` the longest answer, ``timeout_s`` the longest wait for
    the next piece of it.
    """

    model: Model
    pipeline: Pipeline
    history: History | None
    knowledge: Knowledge
    settings: AgentSettings
    context_tokens: int
    max_tokens: int
    timeout_s: float

    async def run(
        self,
        message: str,
        run: Run,
        *,
        attachments: tuple[TextBlock, ...] = (),
        emit: Emit = silent,
        timeout_s: float | None = None,
        journal: Journal | None = None,
    ) -> RunReport:
        """Answer a message, within ``timeout_s`` seconds if given; waiting for a human does not count.

        With a ``journal`` that keeps steps the same run may be entered again after a crash, with the same id and the
        same conversation; a call that nobody knows the end of ends it as ``interrupted``. When such a run is
        cancelled because its process ends, nothing is stored or told: it goes on elsewhere.

        1. Load the conversation (``NotFoundError`` for one that is not this user's). 2. Ask the model, within
        the budget. 3. Play its calls through the pipeline. 4. Repeat until it answers, must wait for a human,
        or a guard ends the run. 5. Store the new messages, also when the run fails. Raises only when akili
        itself cannot work.
        """
        correlation.set(run.correlation_id)  # whatever is logged from here on names the run
        with self.pipeline.tracer.span("invoke_agent akili", run_span(run)) as span:
            report = await self._run(message, run, attachments, emit, timeout_s, journal or NoJournal())
            span.set({"akili.status": str(report.status), "akili.steps": len(report.steps)})
            if report.status is not Status.OK:
                span.fail(str(report.status))
        return report

    async def _run(
        self,
        message: str,
        run: Run,
        attachments: tuple[TextBlock, ...],
        emit: Emit,
        timeout_s: float | None,
        journal: Journal,
    ) -> RunReport:
        run = await self._conversation(run)
        earlier = await self._earlier(run, journal)
        redactor = self.pipeline.redactor
        emit = guarded(emit, redactor)
        state = _State(_with_untrusted(run, attachments, earlier), [*earlier], len(earlier), ModelEgress(redactor))
        asked = Message("user", (*attachments, TextBlock(message)))
        state.messages.append(without_secrets(asked, redactor))
        emit(Event("run.started", self._facts(run)))
        spending = Spending(self.model, self.pipeline.ledger, run, self.settings)
        await spending.begin()
        system = system_prompt(run, await self.knowledge.relevant(message, run))
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                ended = await self._until_answered(state, system, spending, emit, journal, limit)
        except TimeoutError:
            if not limit.expired():
                raise
            state.error = f"the run took longer than {timeout_s:g} s"
            ended = Status.TIMEOUT
        except asyncio.CancelledError:
            if journal.goes_on:
                raise
            state.error = "the run was interrupted"
            await asyncio.shield(self._store(state, once=journal.waits))
            await asyncio.shield(self._collect_cards(state))
            emit(Event("run.finished", self._report(state, spending, Status.INTERRUPTED).as_dict()))
            raise
        await self._store(state, once=journal.waits)
        if run.plan:
            plan = await self.pipeline.approvals.plans.seal(state.run, redactor.text(message))
            state.plan = plan.as_dict(self.pipeline.ledger.tool_price) if plan is not None else None
            emit(Event("plan", state.plan or {"steps": []}))
        await self._collect_cards(state)
        report = self._report(state, spending, ended)
        emit(Event("run.finished", report.as_dict()))
        return report

    async def _until_answered(
        self,
        state: _State,
        system: str,
        spending: Spending,
        emit: Emit,
        journal: Journal,
        limit: asyncio.Timeout,
    ) -> Status:
        guards = Guards(self.settings)
        turns = TurnRunner(self.pipeline, self.settings, emit, journal, limit)
        for number in range(1, self.settings.max_iterations + 1):
            try:
                completion = await self._answer(state, system, spending, emit, journal, number)
            except BudgetExceededError as error:
                state.error = f"{error}\n{error.hint}" if error.hint else str(error)
                return Status.BUDGET_EXCEEDED
            except ModelError as error:
                state.error = f"{error} ({error.hint})" if error.hint else str(error)
                state.failure = error.code
                return Status.FAILED
            uses = tuple(b for b in completion.message.blocks if isinstance(b, ToolUseBlock))
            if not uses:
                ended = self._finished(state, completion)
                if ended is not None:
                    return ended
                continue
            turn = await turns.play(
                uses,
                state.run,
                guards,
                reason=completion.message.text,
                cut_off=completion.stop_reason == "max_tokens",
                number=number,
            )
            state.steps.extend(turn.steps)
            state.messages.append(turn.message)
            state.run = turn.run
            ended = self._stopped(state, guards, turn.steps)
            if ended is not None:
                return ended
        state.error = f"no answer after {self.settings.max_iterations} model calls (agent.max_iterations)"
        return Status.FAILED

    def _finished(self, state: _State, completion: Completion) -> Status | None:
        text = completion.message.text
        if text.strip():
            state.answer = text
            if completion.stop_reason == "max_tokens":
                state.answer += "\n\n[cut off by the output limit]"
            return Status.OK
        state.empty_replies += 1
        state.messages.pop()
        if state.empty_replies > 1:
            state.error = "the model gave an empty answer twice"
            return Status.FAILED
        state.messages.append(Message("user", (TextBlock(NUDGE),)))
        return None

    def _stopped(self, state: _State, guards: Guards, steps: tuple[StepResult, ...]) -> Status | None:
        if any(step.status is Status.APPROVAL_REQUIRED for step in steps):
            state.answer = state.answer or (state.last.message.text if state.last else "")
            return Status.APPROVAL_REQUIRED
        if any(step.status is Status.INTERRUPTED for step in steps):
            state.error = "a call was cut off by a crash and is not repeated; a person must look how far it came"
            return Status.INTERRUPTED
        if guards.stop is not None:
            state.error = guards.stop
            return Status.DENIED if guards.denied_again else Status.FAILED
        return None

    async def _answer(
        self, state: _State, system: str, spending: Spending, emit: Emit, journal: Journal, number: int
    ) -> Completion:
        completion, asked_now = await journal.completion(
            f"model {number}", lambda: self._ask(state, system, spending, emit)
        )
        if not asked_now:
            spending.read_back(completion)
            _emit_text(emit, self.pipeline.redactor.text(completion.message.text))
        state.attempts.extend(completion.attempts)
        state.last = completion
        state.messages.append(completion.message)
        if completion.skill is not None:
            state.run = replace(state.run, skill=completion.skill)
        return completion

    async def _ask(self, state: _State, system: str, spending: Spending, emit: Emit) -> Completion:
        egress, tools = state.egress, self.pipeline.tools.specs()
        base = ModelRequest(
            egress.text(system), (), egress.tools(tools), max_tokens=self.max_tokens, timeout_s=self.timeout_s
        )
        fixed = estimate_tokens(base) + base.max_tokens
        messages = fit(egress.messages(tuple(state.messages)), self.context_tokens - fixed)
        request = replace(base, messages=messages)
        try:
            hold = await self._reserved(spending, request)
        except BudgetExceededError as error:
            await spending.refused(self.pipeline, error)
            raise
        spending.announce(emit)
        with self.pipeline.tracer.span(
            f"chat {self.model.model}", request_span(self.model, request), kind="client"
        ) as span:
            completion, duration_s = await self._heard(request, hold, spending, emit)
            span.set(answer_span(completion))
        await spending.settle(hold, completion, self.pipeline, duration_s=duration_s)
        return completion

    async def _reserved(self, spending: Spending, request: ModelRequest) -> Reservation:
        with self.pipeline.tracer.span("security.reserve_budget"):
            return await spending.reserve(request)

    async def _heard(
        self, request: ModelRequest, hold: Reservation, spending: Spending, emit: Emit
    ) -> tuple[Completion, float]:
        """Pass the answer on as it comes; give it whole, and the seconds it took. One that breaks off is booked."""
        clock = self.pipeline.clock
        completion: Completion | None = None
        failed: ModelError | None = None
        heard, began = 0, clock.monotonic()
        redact = self.pipeline.redactor.stream()
        try:
            async for event in self.model.stream(request):
                if isinstance(event, TextDelta):
                    heard += len(event.text)
                    _emit_text(emit, redact.feed(event.text))
                else:
                    completion = event
            completion = completion or _unfinished(self.model)
        except ModelError as error:
            failed = error
            raise
        finally:
            _emit_text(emit, redact.flush())
            if completion is None:
                took = clock.monotonic() - began
                await spending.cut_off(hold, request, heard, self.pipeline, duration_s=took, error=failed)
        return completion, clock.monotonic() - began

    async def _conversation(self, run: Run) -> Run:
        if self.history is None or run.conversation_id is not None:
            return run
        return replace(run, conversation_id=await self.history.create(run.principal.user))

    async def _earlier(self, run: Run, journal: Journal) -> tuple[Message, ...]:
        history, conversation = self.history, run.conversation_id
        if history is None or conversation is None:
            return ()
        return await journal.earlier(lambda: history.load(conversation, run.principal.user))

    async def _store(self, state: _State, *, once: bool) -> None:
        new = _answered(state.messages[state.kept :])
        if self.history is not None and state.run.conversation_id is not None and new:
            redacted = tuple(without_secrets(message, self.pipeline.redactor) for message in new)
            run = state.run
            await self.history.append(
                state.run.conversation_id, run.principal.user, redacted, once=run.id if once else None
            )

    async def _collect_cards(self, state: _State) -> None:
        waiting = [step.approval_id for step in state.steps if step.status is Status.APPROVAL_REQUIRED]
        state.cards = tuple([await self.pipeline.card(one) for one in waiting if one is not None])

    def _facts(self, run: Run) -> dict[str, object]:
        return {
            "run_id": run.id,
            "correlation_id": run.correlation_id,
            "conversation_id": run.conversation_id,
            "user": run.principal.user,
            "source": str(run.principal.source),
            "provider": self.model.provider,
            "model": self.model.model,
        }

    def _report(self, state: _State, spending: Spending, ended: Status) -> RunReport:
        last, run = state.last, state.run
        redact, data = self.pipeline.redactor.text, self.pipeline.redactor.value
        report, plan = data(last.report if last else None), data(state.plan)
        return RunReport(
            status=worst(tuple(state.steps), ended),
            answer=redact(state.answer),
            error=redact(state.error),
            correlation_id=run.correlation_id,
            run_id=run.id,
            conversation_id=run.conversation_id,
            steps=tuple(state.steps),
            cards=state.cards,
            usage=spending.usage,
            cost_usd=spending.cost_usd,
            forecast_usd=spending.forecast_usd,
            provider=last.provider if last else self.model.provider,
            model=last.model if last else self.model.model,
            attempts=tuple(state.attempts),
            report=report if isinstance(report, dict) else None,
            plan=plan if isinstance(plan, dict) else None,
            failure=state.failure,
        )


def _emit_text(emit: Emit, text: str) -> None:
    if text:
        emit(Event("text", {"text": text}))


def _unfinished(model: Model) -> NoReturn:
    raise ModelError(f"{model.provider} ended its answer without finishing it")


def _answered(messages: list[Message]) -> tuple[Message, ...]:
    """Leave no tool use without a result behind: a run may end in the middle of a turn."""
    if not messages or messages[-1].role != "assistant":
        return tuple(messages)
    open_uses = [block for block in messages[-1].blocks if isinstance(block, ToolUseBlock)]
    if not open_uses:
        return tuple(messages)
    results = tuple(ToolResultBlock(use.id, "Interrupted: the run ended first", is_error=True) for use in open_uses)
    return (*messages, Message("user", results))


def _with_untrusted(run: Run, attachments: tuple[TextBlock, ...], earlier: tuple[Message, ...]) -> Run:
    """Name the outside texts that the model will read for the first time: what is attached, and what came in last."""
    unread = earlier[-1].blocks if earlier and earlier[-1].role == "user" else ()
    texts = (*unread, *attachments)
    labels = [block.untrusted for block in texts if not isinstance(block, ToolUseBlock) and block.untrusted is not None]
    return replace(run, untrusted=tuple(dict.fromkeys((*run.untrusted, *labels))))
