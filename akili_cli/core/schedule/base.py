"""The contract between the ticker and the rooms that have something due."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection
from akili_cli.domain.calls import Principal


class OnMissed(enum.StrEnum):
    """What happens to fire times that passed while nobody was there, inside the window."""

    SKIP = "skip"
    RUN_ONCE = "run_once"
    RUN_ALL = "run_all"


class Overlap(enum.StrEnum):
    """What happens to a fire time that comes while the job still runs."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


class FireStatus(enum.StrEnum):
    """Where one fire time of one job stands; everything after ``running`` is final.

    ``waiting`` (for the earlier one, overlap ``queue``) and ``running`` are open. ``missed`` and ``overlapped``
    never ran.
    """

    WAITING = "waiting"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    DENIED = "denied"
    BUDGET_EXCEEDED = "budget_exceeded"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    OVERLAPPED = "overlapped"

    @property
    def exit_code(self) -> int:
        """What a command that waited for the end exits with: done, refused or failed."""
        if self is FireStatus.OK:
            return 0
        return 2 if self in (FireStatus.DENIED, FireStatus.BUDGET_EXCEEDED) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is due, as its room's row says. ``next_run_at`` is the fire time (epoch seconds); ``payload`` is JSON."""

    id: str
    user: str
    cron: str
    next_run_at: float
    payload: Mapping[str, object]
    on_missed: OnMissed = OnMissed.RUN_ONCE
    window_s: float = 3600.0
    overlap: Overlap = Overlap.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """One execution: ``id`` is ``<kind>:<job id>:<fire time as 2026-02-17T12:30:00Z>``, or ends in ``manual-<id>``.

    The id is also the name of the engine's run. ``user`` is whose authority it runs with.
    """

    id: str
    org: str
    kind: str
    job_id: str
    fire_at: float
    user: str
    payload: Mapping[str, object]
    node: str
    attempt: int = 1
    manual: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a fire ended. ``run_id`` is the agent run's (or empty), ``cost_usd`` None when unpriced.

    ``duration_s`` is how long this node played it; None for a fire that never ran.
    """

    status: FireStatus
    run_id: str = ""
    error: str = ""
    summary: str = ""
    cost_usd: float | None = 0.0
    details: Mapping[str, object] = field(default_factory=dict)
    duration_s: float | None = None


class Schedule(Protocol):
    """One room's due things. SQL methods run inside the ticker's transactions; every row is the organisation's.

    ``poll_s`` is how long a job that somebody else added may go unseen, infinite where nothing is ever due;
    ``max_running`` how many fires one node runs side by side.
    """

    @property
    def kind(self) -> str:
        """The word that fire ids begin with."""

    @property
    def poll_s(self) -> float:
        """Seconds between two looks."""

    @property
    def max_running(self) -> int:
        """At most so many at once."""

    @property
    def durable(self) -> bool:
        """Whether runs go through the engine."""

    def next_at(self, connection: Connection, org: str) -> float | None:
        """Give the earliest ``next_run_at`` of an enabled job, so that the ticker wakes up in time for it."""

    def due(self, connection: Connection, org: str, now: float, limit: int) -> list[Job]:
        """Give enabled jobs with ``next_run_at <= now``, oldest first, locked with ``{skip}``."""

    def advance(self, connection: Connection, org: str, job_id: str, next_run_at: float) -> None:
        """Move a job on to its next fire time."""

    async def run(self, fire: Fire, steps: Steps) -> Ended:
        """Do what is due. With ``durable`` it is an engine run and is entered again after a crash."""

    def ended(self, connection: Connection, fire: Fire, ended: Ended, now: float) -> None:
        """Note the end on the job and queue what is to be told, in the transaction that ends the fire: once."""


class Chore(Protocol):
    """Something a node does every so often beside the ticker: deliver messages, read task files."""

    @property
    def name(self) -> str:
        """Its name in logs."""

    @property
    def every_s(self) -> float:
        """Seconds between two rounds."""

    async def tick(self, now: float) -> None:
        """Do one round; what fails is logged by the supervisor and tried again at the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to people. ``key`` makes it one: a second notice of the same key and channel is not stored.

    ``channels`` are names. ``user`` and ``source`` say by whose authority and entry point it is sent.
    """

    key: str
    channels: tuple[str, ...]
    subject: str
    body: str
    user: str
    source: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class Notifier(Protocol):
    """The outbox: stores messages in the caller's transaction; they are delivered afterwards."""

    def queue(self, connection: Connection, org: str, notice: Notice, now: float) -> tuple[str, ...]:
        """Store one delivery per channel; give their ids. An unknown channel becomes a failed delivery."""

    def unknown(
        self, connection: Connection, org: str, channels: Sequence[str], by: Principal | None = None
    ) -> tuple[str, ...]:
        """Give the names that no channel has; with ``by`` also those of channels that they may not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A text for the agent to work on, and by whose authority. ``timeout_s`` None means the default."""

    text: str
    user: str
    source: str
    org: str
    correlation_id: str
    max_cost_usd: float | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of a goal; ``status`` is a ``domain.calls.Status`` word, ``tokens`` input plus output."""

    status: str
    answer: str
    run_id: str
    error: str = ""
    cost_usd: float | None = 0.0
    tokens: int = 0
    denials: tuple[str, ...] = ()


class GoalRunner(Protocol):
    """Runs goals through the agent loop and so through the pipeline."""

    async def run(self, goal: Goal, steps: Steps) -> Reached:
        """Work on a goal; finished model and tool steps are read back after a crash.

        A call that must be approved is waited for, until it is ruled on or expires.
        """
