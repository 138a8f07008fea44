"""``akili policy simulate``: what a policy would have decided about recorded actions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from akili_cli.bootstrap.app import State
from akili_cli.bootstrap.replay import replayable, replayed
from akili_cli.bootstrap.rulings import Judge
from akili_cli.cli import render
from akili_cli.cli.opening import opened_state
from akili_cli.cli.policy.calls import line_of_call
from akili_cli.cli.policy.diff import STRENGTH
from akili_cli.cli.policy.opening import judge_of
from akili_cli.core.audit.model import AuditEntry
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.policy.engine import decide
from akili_cli.domain.clock import iso
from akili_cli.domain.decisions import Decision, Verdict
from akili_cli.domain.durations import parse_duration
from akili_cli.domain.errors import AkiliError, UsageError

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Redecided:
    """A recorded action, decided again. ``doubt`` says why it may not be exactly the recorded one."""

    entry: AuditEntry
    before: Verdict
    after: Decision
    doubt: str
    role: str

    @property
    def wider(self) -> bool:
        """Whether more would happen now."""
        return STRENGTH.index(self.after.verdict) < STRENGTH.index(self.before)

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form."""
        record = self.entry.record
        return {
            "id": self.entry.id,
            "at": iso(self.entry.at),
            "user": record.user,
            "agent": record.agent,
            "skill": record.skill,
            "mode": list(record.mode),
            "tool": record.tool,
            "parameters": dict(record.parameters),
            "before": str(self.before),
            "after": str(self.after.verdict),
            "rule_before": record.rule,
            "rule_after": f"{self.after.ruling.rule_id}@{self.after.ruling.origin}",
            "role_before": record.role,
            "role_after": self.role,
            "approximate": bool(self.doubt),
            "doubt": self.doubt,
            "wider": self.wider,
        }


@dataclass(frozen=True, slots=True)
class Lost:
    """A recorded action that cannot be decided again, and why."""

    entry: AuditEntry
    why: str

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form."""
        return {"id": self.entry.id, "tool": self.entry.record.tool, "why": self.why}


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of it. ``unread`` says that the limit may have left out older records."""

    again: tuple[Redecided, ...]
    lost: tuple[Lost, ...]
    unread: bool

    @property
    def changed(self) -> list[Redecided]:
        """Whatever is decided differently."""
        return [one for one in self.again if one.before is not one.after.verdict]

    @property
    def wider(self) -> list[Redecided]:
        """Whatever would be let happen now and was not."""
        return [one for one in self.again if one.wider]

    @property
    def alike(self) -> list[Redecided]:
        """Whatever is decided alike as far as can be told, but perhaps about another action."""
        return [one for one in self.again if one.doubt and one.before is one.after.verdict]


async def simulate_policy(against: str, config: Path | None, limit: int, as_json: bool) -> int:
    """Decide again and print what differs; gives the exit code, 1 when anything became wider."""
    async with opened_state() as state:
        judge = judge_of(state, config)
        entries, unread = await _chosen(against, state, limit)
    tried = [redecided(entry, judge) for entry in entries]
    again = tuple(one for one in tried if isinstance(one, Redecided))
    simulation = Simulation(again, tuple(one for one in tried if isinstance(one, Lost)), unread)
    if as_json:
        render.out_json(_as_dict(simulation))
    elif simulation.changed:
        _show(simulation.changed)
    _tell(simulation, limit)
    return 1 if simulation.wider else 0


def _as_dict(simulation: Simulation) -> dict[str, object]:
    return {
        "decided": len(simulation.again),
        "lost": len(simulation.lost),
        "not_decided": [one.as_dict() for one in simulation.lost],
        "doubtful": [{"id": one.entry.id, "why": one.doubt} for one in simulation.again if one.doubt],
        "unread": simulation.unread,
        "wider": len(simulation.wider),
        "changed": [one.as_dict() for one in simulation.changed],
    }


def _show(changed: list[Redecided]) -> None:
    render.out_table(
        ("", "TIME", "USER", "CALL", "THEN", "NOW", "RULE NOW", ""),
        [
            (
                "WIDER" if one.wider else "",
                iso(one.entry.at),
                one.entry.record.user,
                line_of_call(one.entry.record.tool, one.entry.record.parameters),
                one.before,
                one.after.verdict,
                one.after.ruling.rule_id,
                "approximate" if one.doubt else "",
            )
            for one in changed
        ],
    )


def _tell(simulation: Simulation, limit: int) -> None:
    again, changed, wider = simulation.again, simulation.changed, simulation.wider
    for one in simulation.lost[:SHOWN]:
        render.talk(f"not decided again: {one.entry.id}: {one.why}", "yellow")
    for alike in simulation.alike[:SHOWN]:
        render.talk(f"alike, but not surely: {alike.entry.id}: {alike.doubt}", "yellow")
    hidden = max(0, len(simulation.lost) - SHOWN) + max(0, len(simulation.alike) - SHOWN)
    if hidden:
        render.talk(f"and {hidden} more such records: --json names them all", "yellow")
    if simulation.unread:
        render.talk(f"only the newest {limit} records were read: --limit reads more", "yellow")
    told = f"{len(again)} actions decided again ({sum(bool(one.doubt) for one in again)} approximately)"
    told += f", {len(simulation.lost)} could not be" if simulation.lost else ""
    render.talk(f"{told}, {len(changed)} differ, {len(wider)} wider", "red" if wider else None)


async def _chosen(against: str, state: State, limit: int) -> tuple[list[AuditEntry], bool]:
    """Give the records to decide again, and whether the limit may have cut off others that were meant."""
    since = None if against == "latest" else _moment(against, state.clock.now())
    read = await AuditReader(state.db, state.org).tail(limit)
    entries, full = replayable(read), len(read) == limit
    if since is not None:
        return [entry for entry in entries if entry.at >= since], full and read[0].at >= since
    if not entries:
        return [], full
    run_id = entries[-1].record.run_id
    return [entry for entry in entries if entry.record.run_id == run_id], full and read[0].record.run_id == run_id


def _moment(text: str, now: float) -> float:
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--against takes latest, a span like 24h, or a moment like 2026-02-17, not {text[:60]!r}"
        ) from None


def redecided(entry: AuditEntry, judge: Judge) -> Redecided | Lost:
    """Decide one recorded action again, or say why that cannot be done."""
    try:
        again, before = replayed(entry, judge), Verdict(entry.record.verdict)
    except AkiliError as error:
        return Lost(entry, str(error))
    except ValueError:
        return Lost(entry, f"{entry.record.verdict[:40]!r} is no verdict")
    return Redecided(entry, before, decide(again.action, judge.rules), again.doubt, again.action.role or "")
