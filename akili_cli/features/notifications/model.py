"""The values of notifications: channels, messages, deliveries and how one try ended."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from akili_cli.domain.clock import iso


class State(enum.StrEnum):
    """Where one message to one channel stands; ``sent``, ``failed`` and ``interrupted`` are final.

    ``held`` waits for an approval. ``interrupted`` was under way when akili was killed, to a service that cannot
    tell a repetition: it may have arrived, and is not sent again.
    """

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A place messages go. ``config`` holds no secret; ``credential_ref`` says where one is kept."""

    id: str
    org: str
    name: str
    type: str
    config: Mapping[str, str]
    credential_ref: str | None
    enabled: bool
    user: str
    created_at: float
    updated_at: float

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form; of the credential only whether there is one."""
        return {
            "id": self.id,
            "name": self.name,
            "channel_type": self.type,
            "config": dict(self.config),
            "has_credential": self.credential_ref is not None,
            "enabled": self.enabled,
            "user_id": self.user,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one channel. ``parts_done`` of ``parts_total`` were taken; ``in_flight`` is the part that was
    handed over without an answer yet. ``reason`` says why it is not sent, or what was odd about it.
    """

    id: str
    org: str
    key: str
    channel: str
    subject: str
    body: str
    metadata: Mapping[str, str]
    user: str
    source: str
    state: State
    reason: str = ""
    tries: int = 0
    max_tries: int
    parts_done: int = 0
    parts_total: int | None = None
    in_flight: int | None = None
    due_at: float
    lease_until: float | None = None
    approval_id: str | None = None
    created_at: float
    finished_at: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form without the text."""
        return {
            "id": self.id,
            "key": self.key,
            "channel": self.channel,
            "subject": self.subject,
            "user_id": self.user,
            "source": self.source,
            "state": str(self.state),
            "reason": self.reason,
            "tries": self.tries,
            "parts_done": self.parts_done,
            "parts_total": self.parts_total,
            "approval_id": self.approval_id,
            "due_at": iso(self.due_at),
            "created_at": iso(self.created_at),
            "finished_at": None if self.finished_at is None else iso(self.finished_at),
        }


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is given to send.

    ``id`` is the delivery's: the same message keeps it over all tries. ``tried_at`` is when this try is made.
    """

    id: str
    channel: str
    subject: str
    body: str
    metadata: Mapping[str, str]
    created_at: float
    tried_at: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """The service took it; ``note`` says what was odd."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """It may work later; ``after_s`` is what the service asked for, which then holds for the whole channel."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It will never work like this."""

    reason: str


Outcome = Delivered | Retry | Failed


@dataclass(frozen=True, slots=True)
class Account:
    """A channel ready to use: what its type needs of the settings, and its secret, which is never shown."""

    config: Mapping[str, str]
    secret: str | None = field(repr=False)
