"""``akili policy simulate``: what a policy would have decided about recorded actions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from akili_cli.bootstrap.app import State
from akili_cli.bootstrap.replay import is_replayable, replayed
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


@dataclass(frozen=True, slots=True)
class Redecided:
    """A recorded action, decided again."""

    entry: AuditEntry
    before: Verdict
    after: Decision
    approximate: bool

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
            "tool": record.tool,
            "parameters": dict(record.parameters),
            "before": str(self.before),
            "after": str(self.after.verdict),
            "rule_before": record.rule,
            "rule_after": f"{self.after.ruling.rule_id}@{self.after.ruling.origin}",
            "approximate": self.approximate,
            "wider": self.wider,
        }


async def simulate_policy(against: str, config: Path | None, limit: int, as_json: bool) -> int:
    """Decide again and print what differs; gives the exit code, 1 when anything became wider."""
    async with opened_state() as state:
        judge = judge_of(state, config)
        entries = await _chosen(against, state, limit)
    again = [one for entry in entries if (one := redecided(entry, judge)) is not None]
    lost = len(entries) - len(again)
    changed = [one for one in again if one.before is not one.after.verdict]
    wider = [one for one in changed if one.wider]
    if as_json:
        render.out_json(
            {"decided": len(again), "lost": lost, "wider": len(wider), "changed": [one.as_dict() for one in changed]}
        )
    elif changed:
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
                    "approximate" if one.approximate else "",
                )
                for one in changed
            ],
        )
    approximate = sum(one.approximate for one in again)
    told = f"{len(again)} actions decided again ({approximate} approximately)"
    told += f", {lost} could not be rebuilt" if lost else ""
    render.talk(f"{told}, {len(changed)} differ, {len(wider)} wider", "red" if wider else None)
    return 1 if wider else 0


async def _chosen(against: str, state: State, limit: int) -> list[AuditEntry]:
    since = None if against == "latest" else _moment(against, state.clock.now())
    entries = [e for e in await AuditReader(state.db, state.org).tail(limit) if is_replayable(e)]
    if since is not None:
        return [entry for entry in entries if entry.at >= since]
    return [entry for entry in entries if entry.record.run_id == entries[-1].record.run_id]


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


def redecided(entry: AuditEntry, judge: Judge) -> Redecided | None:
    """Decide one recorded action again; None when it cannot be rebuilt."""
    try:
        again, before = replayed(entry, judge), Verdict(entry.record.verdict)
    except (AkiliError, ValueError):
        return None
    return Redecided(entry, before, decide(again.action, judge.rules), again.approximate)
