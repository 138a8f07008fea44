"""``heartbeat_missing``: a job of akili's own went well not long ago."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.domain.calls import StepResult
from akili_cli.features.alerts.checks.base import Config, Freshness, number_problem, unknown_setting
from akili_cli.features.alerts.model import Result, Standing

KINDS = ("cron", "heartbeat")
MAX_AGE_S = 366 * 86400


@dataclass(frozen=True, slots=True)
class HeartbeatMissing:
    """A last good run that is older than ``max_age_seconds`` is ``alert``; so is none for so long since the rule is."""

    name: str = "heartbeat_missing"
    help: str = "max_age_seconds; the target is cron:<job> or heartbeat:<group>/<task>"
    from_target: str | None = None

    def problem(self, target: str, config: Config) -> str | None:
        """Say why it could never work."""
        kind, _, name = target.partition(":")
        if kind not in KINDS or not name.strip() or (kind == "heartbeat" and not all(name.partition("/"))):
            return "the target must be cron:<job> or heartbeat:<group>/<task>"
        if "max_age_seconds" not in config:
            return "max_age_seconds is missing"
        return unknown_setting(config, ("max_age_seconds",)) or number_problem(config, "max_age_seconds", 1, MAX_AGE_S)

    def look(self, target: str, config: Config) -> Freshness:
        """Ask for the last good run."""
        kind, _, name = target.partition(":")
        return Freshness(kind, name, float(config["max_age_seconds"]))

    def judge(self, step: StepResult, config: Config) -> Result:  # noqa: ARG002  # no call is ever made
        """Say that a call is no answer."""
        return Result(Standing.ERROR, step.text)


HEARTBEAT_MISSING = HeartbeatMissing()


def judge_age(look: Freshness, last_ok: float | None, since: float, now: float) -> Result:
    """Compare the last good run with the age it may have; without any the rule's beginning counts."""
    age = now - (since if last_ok is None else last_ok)
    what = f"{look.kind}:{look.name}"
    said = f"{what} has never gone well" if last_ok is None else f"{what} last went well {age:.0f} s ago"
    if age > look.max_age_s:
        return Result(Standing.ALERT, f"{said}, more than {look.max_age_s:.0f} s")
    return Result(Standing.OK, said)
