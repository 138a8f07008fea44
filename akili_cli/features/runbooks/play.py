"""Plays a runbook through the agent's loop: asks for tool calls, reads what came back, reports.

The player keeps nothing: where a play stands is read from the conversation every time, so it survives a
restart, a resumed approval and another process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock
from akili_cli.features.runbooks.findings import Fact, Finding, Judgement, clean, select
from akili_cli.features.runbooks.inputs import Value, fill_arguments, has_values
from akili_cli.features.runbooks.model import MAX_FOREACH, Runbook, Severity, Step, StepStatus, When
from akili_cli.features.runbooks.outcome import Outcome, read_result
from akili_cli.features.runbooks.report import (
    CheckedStep,
    FinalReport,
    UncheckedStep,
    overall,
    summarise,
)


def last_turn(messages: Sequence[Message]) -> tuple[Message | None, tuple[Message, ...]]:
    """Give the last plain message of the person, and everything after it."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        plain = all(isinstance(block, TextBlock) for block in message.blocks)
        if message.role == "user" and plain:
            return message, tuple(messages[at + 1 :])
    return None, tuple(messages)


def call_prefix(slug: str) -> str:
    """Give what the ids of a runbook's tool calls start with."""
    return f"rb-{slug}-"


class Player:
    """One runbook with its inputs; ``next`` is a function of the conversation alone."""

    def __init__(self, runbook: Runbook, inputs: Mapping[str, Value]) -> None:
        """Keep the runbook and the checked inputs (see ``inputs.resolve_inputs``)."""
        self._runbook = runbook
        self._inputs = dict(inputs)

    @property
    def skill(self) -> str:
        """The runbook's slug, which rules on skills look at."""
        return self._runbook.slug

    def next(
        self, messages: Sequence[Message], tools: frozenset[str] | None = None
    ) -> tuple[ToolUseBlock, ...] | FinalReport:
        """Give the tool calls that can be made now, or the report when there are none left.

        ``tools`` are the names on offer; a step that needs another one is not checked. None means all.
        """
        walk = _Walk(self._runbook, self._inputs, last_turn(messages)[1], tools)
        walk.through(self._runbook.steps)
        return tuple(walk.wanted) or self._report(walk)

    def _report(self, walk: _Walk) -> FinalReport:
        findings: list[Finding] = list(walk.unverified)
        facts: list[Fact] = []
        checked: list[CheckedStep] = []
        gaps: list[UncheckedStep] = []
        for step in self._runbook.all_steps():
            outcome = walk.outcomes.get(step.id)
            if outcome is None or outcome.status is StepStatus.SKIPPED:
                continue
            findings += outcome.judged.findings
            facts += outcome.judged.facts
            if outcome.status is StepStatus.OK:
                checked.append(CheckedStep(step.id, step.heading))
            if outcome.status is not StepStatus.OK or outcome.reason:
                status = StepStatus.NOT_CHECKED if outcome.status is StepStatus.OK else outcome.status
                gaps.append(UncheckedStep(step.id, step.heading, status, outcome.reason))
        gaps += walk.dropped
        unchecked = tuple(gaps)
        return FinalReport(
            runbook=self._runbook.slug,
            name=self._runbook.name,
            severity=overall(tuple(findings), len(checked), unchecked),
            summary=summarise(self._runbook.name, tuple(findings), len(checked), unchecked),
            inputs=self._inputs,
            facts=tuple(facts),
            findings=tuple(findings),
            checked=tuple(checked),
            not_checked=unchecked,
            next_steps=self._next_steps(any(one.severity.rank >= Severity.WARNING.rank for one in findings)),
        )

    def _next_steps(self, found: bool) -> tuple[str, ...]:
        sections = self._runbook.sections
        return (*sections.get("next steps", ()), *(sections.get("escalation", ()) if found else ()))


@dataclass(slots=True)
class _Walk:
    """One reading of the conversation against the steps."""

    runbook: Runbook
    inputs: Mapping[str, Value]
    turn: tuple[Message, ...]
    tools: frozenset[str] | None = None
    wanted: list[ToolUseBlock] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    dropped: list[UncheckedStep] = field(default_factory=list)
    unverified: list[Finding] = field(default_factory=list)
    asked: set[str] = field(init=False)
    results: dict[str, ToolResultBlock] = field(init=False)

    def __post_init__(self) -> None:
        blocks = [block for message in self.turn for block in message.blocks]
        self.asked = {block.id for block in blocks if isinstance(block, ToolUseBlock)}
        self.results = {block.tool_use_id: block for block in blocks if isinstance(block, ToolResultBlock)}

    def through(self, steps: tuple[Step, ...]) -> None:
        """Go as far as results allow; a step that may stop the play, or changes things, is waited for."""
        for at, step in enumerate(steps):
            done = self.step(step)
            if done is None and (step.on_fail == "stop" or step.verify):
                return
            if done is not None and step.on_fail == "stop" and done.status not in (StepStatus.OK, StepStatus.SKIPPED):
                self.drop(steps[at + 1 :], f"not played, because {step.heading} did not succeed")
                return

    def drop(self, steps: tuple[Step, ...], reason: str) -> None:
        self.dropped += [UncheckedStep(one.id, one.heading, StepStatus.SKIPPED, reason) for one in steps]

    def step(self, step: Step) -> Outcome | None:
        """Give what became of a step and what it holds, or None while something is under way."""
        if step.when is not None:
            if (before := self.outcomes.get(step.when.step)) is None:
                return None
            if not _holds(step.when, before):
                return self.settle(step, Outcome(StepStatus.SKIPPED))
        if not has_values(step, self.inputs):
            return self.settle(step, Outcome(StepStatus.SKIPPED))
        outcome = self.once(step, None, "") if step.foreach is None else self.each(step)
        if outcome is None:
            return None
        self.settle(step, outcome)
        if step.verify and outcome.status in (StepStatus.OK, StepStatus.FAILED):
            return outcome if self.verified(step) else None
        return outcome

    def settle(self, step: Step, outcome: Outcome) -> Outcome:
        self.outcomes[step.id] = outcome
        return outcome

    def verified(self, step: Step) -> bool:
        """Play verify, and rollback when a check failed or found something; False while under way."""
        done = [self.step(one) for one in step.verify]
        checks = [one for one in done if one is not None]
        if len(checks) < len(done):
            return False
        bad = [
            check.heading
            for check, one in zip(step.verify, checks, strict=True)
            if one.status is StepStatus.FAILED or one.severity.rank >= Severity.WARNING.rank
        ]
        if not bad:
            return True
        taken = bool(step.rollback)
        for back in step.rollback:
            outcome = self.step(back)
            if outcome is None:
                return False
            taken = outcome.status is StepStatus.OK
            if not taken:
                break
        self.unverified.append(_unverified(step, bad, taken))
        return True

    def each(self, step: Step) -> Outcome | None:
        """Play a step for every item of an earlier capture, 20 at most."""
        assert step.foreach is not None
        before = self.outcomes.get(step.foreach.step)
        if before is None:
            return None
        if before.status is not StepStatus.OK:
            return Outcome(StepStatus.NOT_CHECKED, f"{step.foreach.step} gave nothing to go through")
        try:
            rows = select(step.foreach.where, before.rows)
        except ValueError as error:
            return Outcome(StepStatus.FAILED, str(error))
        items = dict.fromkeys(str(row.cells.get(step.foreach.column, "")) for row in rows)
        usable = [item for item in items if item.isprintable() and item and not item.startswith("-")]
        done = [self.once(step, item, f"-{at}") for at, item in enumerate(usable[:MAX_FOREACH], 1)]
        parts = [one for one in done if one is not None]
        if len(parts) < len(done):
            return None
        return _together(list(zip(usable, parts, strict=False)), left_out=len(items) - len(done))

    def once(self, step: Step, item: str | None, suffix: str) -> Outcome | None:
        identity = f"{call_prefix(self.runbook.slug)}{step.id}{suffix}"
        result = self.results.get(identity)
        if result is not None:
            return read_result(step, result, item)
        if identity in self.asked:
            return Outcome(StepStatus.FAILED, "no result came back")
        if self.tools is not None and step.tool not in self.tools:
            return Outcome(StepStatus.NOT_CHECKED, step.not_checked or f"the tool {step.tool} is not offered here")
        arguments = fill_arguments(step, self.inputs, item)
        if step.timeout is not None and step.tool == "shell_exec":
            arguments.setdefault("timeout", step.timeout)
        self.wanted.append(ToolUseBlock(identity, step.tool, arguments))
        return None


def _unverified(step: Step, failed: list[str], taken: bool) -> Finding:
    end = "the way back was taken" if taken else "it was not taken back"
    text = f"{step.heading} did not hold ({', '.join(failed)}); {end}"
    return Finding(Severity.WARNING if taken else Severity.CRITICAL, step.id, text, "")


def _holds(when: When, before: Outcome) -> bool:
    if when.status is not None:
        return before.status == when.status
    operator, _, level = (when.severity or "").partition(" ")
    wanted = Severity(level).rank
    if before.status is not StepStatus.OK:
        return False
    return before.severity.rank >= wanted if operator == ">=" else before.severity.rank == wanted


def _together(played: Sequence[tuple[str, Outcome]], *, left_out: int) -> Outcome:
    parts = [part for _, part in played]
    judged = Judgement(
        tuple(one for part in parts for one in part.judged.findings),
        tuple(one for part in parts for one in part.judged.facts),
    )
    bad = [part for part in parts if part.status is not StepStatus.OK]
    reasons = [f"{clean(item)}: {part.reason}" for item, part in played if part.reason][:3]
    if left_out > 0:
        reasons.append(f"{left_out} more were not looked at")
    refused = [part for part in bad if part.status is not StepStatus.NOT_CHECKED]
    status = StepStatus.OK
    if bad and (refused or len(bad) == len(parts)):
        status = (refused or bad)[0].status
    rows = tuple(row for part in parts for row in part.rows)
    return Outcome(status, "; ".join(reasons), rows, judged)
