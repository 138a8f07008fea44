"""Sees every rule fire from every entry point, or says where one does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from akili_cli.bootstrap.ground import Ground
from akili_cli.bootstrap.probes import Probe, candidates, find_probes, idle, needs_every_tool
from akili_cli.bootstrap.rulings import Asked
from akili_cli.core.policy.model import Rule
from akili_cli.domain.calls import Source, Status, StepResult
from akili_cli.domain.decisions import Verdict

AT_ONCE = 8
RESERVED = frozenset({"file_restore", "git_restore", "sandbox_probe", "notification_deliver", "endpoint_check"})
Send = Callable[[Ground, Asked], Awaitable[StepResult | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """One way calls come in.

    ``carries`` are the circumstances it can bring: ``read_only``, ``autonomous``, ``untrusted``, ``skill``; those
    in ``always`` come with every call. ``only`` names the one tool that calls of it can ask for.
    ``primes`` says that outside text gets in only by an earlier call of the same run; without ``agents`` nothing comes
    in here in the name of one. ``send`` makes a call
    through its own code and gives what the pipeline answered; ``resumes`` says that a person said yes before.
    """

    name: str
    source: Source
    carries: frozenset[str]
    send: Send
    always: frozenset[str] = frozenset()
    only: str | None = None
    primes: bool = False
    resumes: bool = False
    agents: bool = True

    @property
    def brings(self) -> frozenset[str]:
        """What a call of it may need."""
        return self.carries | {"agent"} if self.agents else self.carries

    def takes(self, tool: str) -> bool:
        """Tell whether a call of a tool can come in here."""
        return tool not in RESERVED if self.only is None else tool == self.only


@dataclass(frozen=True, slots=True)
class Cell:
    """What one entry point showed about one rule: ``ok``, ``MISSING``, or ``-`` where the rule cannot apply."""

    state: str
    note: str = ""


OK, MISSING, APART = "ok", "MISSING", "-"
NO_CALL = "the tools it means take no call here"


@dataclass(frozen=True, slots=True)
class RuleProof:
    """One row of the table. ``probe`` is the first call that was sent."""

    rule: Rule
    cells: dict[str, Cell] = field(default_factory=dict)
    probe: Asked | None = None

    @property
    def holds(self) -> bool:
        """Whether no entry point is missing."""
        return all(cell.state != MISSING for cell in self.cells.values())


async def prove(ground: Ground, entrances: Sequence[Entrance]) -> list[RuleProof]:
    """Send probes for every rule from every entry point; rules with hours are seen with the clock moved there."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(rule: Rule) -> RuleProof:
        async with gate:
            return await _prove_rule(rule, ground, entrances)

    rules = ground.judge.rules.rules
    proofs = {proof.rule.id: proof for proof in await asyncio.gather(*(one(r) for r in rules if r.match.hours is None))}
    for rule in rules:
        if rule.match.hours is not None:
            proofs[rule.id] = await _at_its_hours(rule, ground, entrances)
    return [proofs[rule.id] for rule in rules]


async def _at_its_hours(rule: Rule, ground: Ground, entrances: Sequence[Entrance]) -> RuleProof:
    now = ground.clock.now()
    at = next((asked.at for asked in candidates(rule, ground.judge.world, ground.places, now)), None)
    ground.clock.shift_s = 0.0 if at is None else at - now
    try:
        return await _prove_rule(rule, ground, entrances)
    finally:
        ground.clock.shift_s = 0.0


async def _prove_rule(rule: Rule, ground: Ground, entrances: Sequence[Entrance]) -> RuleProof:
    proof = RuleProof(rule)
    why_idle = idle(rule, ground.judge.world)
    for entrance in entrances:
        if why_idle is not None:
            proof.cells[entrance.name] = Cell(APART, why_idle)
            continue
        cell, probe = await _prove_from(rule, ground, entrance)
        proof.cells[entrance.name] = cell
        if proof.probe is None and probe is not None:
            proof = replace(proof, probe=probe)
    cells = proof.cells.values()
    if why_idle is None and all(c.state == APART for c in cells) and not any(c.note == NO_CALL for c in cells):
        proof.cells[entrances[0].name] = Cell(MISSING, "no entry point can show it")
    return proof


async def _prove_from(rule: Rule, ground: Ground, entrance: Entrance) -> tuple[Cell, Asked | None]:
    tried = [*_from(rule, ground, entrance)]
    able = [asked for asked in tried if _needs(asked) <= entrance.brings and _enters(asked, ground, entrance)]
    found = find_probes(rule, ground.judge, able)
    probes = [probe for probe in found.values() if probe is not None]
    if not probes:
        return _unseen(rule, ground, entrance, tried, able=bool(able)), None
    for tool, probe in found.items():
        if probe is None and needs_every_tool(rule) and not _above(rule, entrance):
            return Cell(MISSING, f"it does not speak to {tool}"), probes[0].asked
    return await _send_all(rule, ground, entrance, probes if needs_every_tool(rule) else _first(probes))


def _above(rule: Rule, entrance: Entrance) -> bool:
    """Tell whether what always comes in from outside may raise calls above a rule's highest risk."""
    return rule.match.max_risk is not None and "untrusted" in entrance.always


def _unseen(rule: Rule, ground: Ground, entrance: Entrance, tried: list[Asked], *, able: bool) -> Cell:
    """Tell a rule that cannot apply to an entry point from one that should and does not."""
    if rule.match.sources and entrance.source not in rule.match.sources:
        return Cell(APART, f"only from {', '.join(rule.match.sources)}")
    if not tried:
        return Cell(APART, "no tool of this entry point is meant")
    found = find_probes(rule, ground.judge, tried)
    elsewhere = [probe.asked for probe in found.values() if probe is not None] or ([] if able else tried)
    if elsewhere:
        return Cell(APART, f"needs {', '.join(sorted(_needs(elsewhere[0])))}, which cannot come in here")
    if not found:
        return Cell(APART, NO_CALL)
    if not _has_risk(rule, ground, entrance):
        return Cell(APART, f"nothing here counts as {rule.match.min_risk}")
    return Cell(MISSING, "no call was found to which it speaks")


def _has_risk(rule: Rule, ground: Ground, entrance: Entrance) -> bool:
    low = rule.match.min_risk
    tools = [tool for tool in ground.judge.world.tools if entrance.takes(tool.name)]
    outside = "untrusted" in entrance.carries
    return low is None or any((tool.highest if outside else tool.highest_alone) >= low for tool in tools)


def _first(probes: list[Probe]) -> list[Probe]:
    return sorted(probes, key=lambda probe: -probe.worth)[:1]


def _from(rule: Rule, ground: Ground, entrance: Entrance) -> Iterator[Asked]:
    for asked in candidates(rule, ground.judge.world, ground.places, ground.clock.now()):
        if entrance.takes(asked.tool):
            skill = asked.skill or ("akili-probe" if "skill" in entrance.always else None)
            label = ("probe",) if "untrusted" in entrance.always and not asked.untrusted else asked.untrusted
            yield replace(asked, source=entrance.source, skill=skill, untrusted=label)


def _needs(asked: Asked) -> frozenset[str]:
    needs = (
        ("read_only", asked.read_only),
        ("autonomous", asked.autonomous),
        ("untrusted", bool(asked.untrusted)),
        ("skill", asked.skill is not None),
        ("agent", asked.agent is not None),
    )
    return frozenset(name for name, wanted in needs if wanted)


def _enters(asked: Asked, ground: Ground, entrance: Entrance) -> bool:
    return not (asked.untrusted and entrance.primes) or ground.primer(asked) is not None


async def _send_all(rule: Rule, ground: Ground, entrance: Entrance, probes: list[Probe]) -> tuple[Cell, Asked | None]:
    for probe in probes:
        wrong = _wrong(rule, await entrance.send(ground, probe.asked), entrance)
        if wrong is None and ground.executions.denied:
            wrong = f"{ground.executions.denied[0]} ran against a denial"
        if wrong is not None:
            return Cell(MISSING, f"{probe.asked.tool}: {wrong}"), probe.asked
    return Cell(OK), probes[0].asked


def _wrong(rule: Rule, step: StepResult | None, entrance: Entrance) -> str | None:
    if step is None or step.decision is None:
        return "the call never came to a decision"
    if rule.id not in [hit.rule_id for hit in step.decision.hits]:
        return "the decision does not name the rule"
    expected = {
        Verdict.DENY: (Status.DENIED,),
        Verdict.ASK: (Status.OK,) if entrance.resumes else (Status.APPROVAL_REQUIRED,),
        Verdict.ALLOW: (Status.OK,),
    }[step.decision.verdict]
    if step.status not in expected:
        return f"it was decided {step.decision.verdict} and ended {step.status}"
    return None
