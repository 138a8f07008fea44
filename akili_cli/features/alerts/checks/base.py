"""The contract of a type of check: it says which tool call looks at a target, and what the answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.calls import StepResult
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.hosts import host_name, split_host
from akili_cli.features.alerts.model import Result, Standing

MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1, 60
TIMEOUT = "10"
"""Seconds a check may take that does not say."""

Config = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """The tool call a check makes."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a check looks up in akili's own books instead: when a job last went well. ``kind`` is cron or heartbeat."""

    kind: str
    name: str
    max_age_s: float


class CheckType(Protocol):
    """One way to look at a target. ``from_target`` names the setting that is the target unless it is given."""

    @property
    def name(self) -> str:
        """The word for it."""

    @property
    def help(self) -> str:
        """Its settings, in one line."""

    @property
    def from_target(self) -> str | None:
        """The setting that follows the target."""

    def problem(self, target: str, config: Config) -> str | None:
        """Say why such a check could never work; None when it could."""

    def look(self, target: str, config: Config) -> Call | Freshness:
        """Give what it takes to look; only for what has no ``problem``."""

    def judge(self, step: StepResult, config: Config) -> Result:
        """Say what a call that ran found; refusals and failures of akili's own never come here."""


def unknown_setting(config: Config, known: tuple[str, ...]) -> str | None:
    """Say which setting there is not."""
    wrong = next((name for name in config if name not in known), None)
    return None if wrong is None else f"there is no setting {wrong!r}"


def number_problem(config: Config, name: str, low: int, high: int) -> str | None:
    """Say that a setting which is there is no whole number in its bounds."""
    text = config.get(name)
    if text is None or (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
        return None
    return f"{name} must be a whole number from {low} to {high}"


def timeout_problem(config: Config) -> str | None:
    """Say that ``timeout_seconds`` is out of bounds."""
    return number_problem(config, "timeout_seconds", MIN_TIMEOUT_S, MAX_TIMEOUT_S)


def host_port(target: str, default_port: str = "") -> tuple[str, int]:
    """Read ``host:port``, or an https URL where a port has a default; raises ``InvalidArgumentsError``."""
    if "://" in target:
        url = parse_url(target)
        return url.host, url.port
    host, port = split_host(target)
    if not (port or default_port) or host_name(host) is None:
        raise InvalidArgumentsError("the target must be host:port")
    shown = f"[{host}]" if ":" in host else host
    url = parse_url(f"https://{shown}:{port or default_port}/")
    return url.host, url.port


def by_status(step: StepResult, good: bool) -> Result:
    """Say ``ok`` or ``alert`` with the tool's own words."""
    return Result(Standing.OK if good else Standing.ALERT, step.text)
