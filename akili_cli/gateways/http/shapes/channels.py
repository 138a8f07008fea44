"""Notification channels as requests write them and answers show them; a credential's reference only goes in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from akili_cli.domain.nearest import nearest
from akili_cli.features.notifications.channels import TYPES
from akili_cli.features.notifications.model import Channel, Delivery, State
from akili_cli.gateways.http.shapes.fields import STRICT

_NEW: JsonDict = {
    "name": "ops",
    "channel_type": "webhook",
    "config": {"url": "https://hooks.example.com/akili"},
    "credential_ref": "env://CHANNEL_OPS_SECRET",
}
_CHANGE: JsonDict = {"config": {"url": "https://hooks.example.com/other"}, "enabled": True}


def _known(kind: str) -> str:
    if kind and kind not in TYPES.names():
        raise ValueError(f"there is no type of channel {kind[:40]!r}{nearest(kind, TYPES.names())}")
    return kind


Kind = Annotated[str, StringConstraints(max_length=40), AfterValidator(_known)]
Settings = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=60)],
        Annotated[str, StringConstraints(min_length=1, max_length=8192)],
    ],
    Field(max_length=20, description="what the type needs"),
]
Reference = Annotated[str, StringConstraints(max_length=500)]


class NewChannel(BaseModel):
    """A channel to be made known; jobs and rules name it by its name."""

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_NEW]})

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    channel_type: Kind = Field(min_length=1, description="telegram, slack, whatsapp, signal, email, webhook or apprise")
    config: Settings = Field(default_factory=dict)
    credential_ref: Reference | None = Field(None, description="where its secret is kept; never shown")
    enabled: bool = True


class ChannelChange(BaseModel):
    """What is to be different: texts that are not empty replace, all else stays; ``config`` is replaced whole.

    A channel keeps its name, since jobs and rules name it by that.
    """

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_CHANGE]})

    name: Annotated[str, StringConstraints(max_length=64)] | None = Field(None, description="the one it has, or empty")
    channel_type: Kind | None = None
    config: Settings | None = None
    credential_ref: Reference | None = Field(None, description="never shown")
    enabled: bool | None = None


class ChannelItem(BaseModel):
    """A channel; of its credential only whether there is one."""

    id: str
    name: str
    channel_type: str
    config: dict[str, str]
    has_credential: bool
    enabled: bool
    user_id: str
    created_at: str
    updated_at: str


class ChannelTested(BaseModel):
    """Whether the service took the fixed test message just now."""

    status: Literal["sent", "failed"]
    error: str | None = Field(None, description="why not; absent when it was sent")
    approval_id: str | None = Field(None, description="what it waits for; absent when nothing is to be approved")


def channel_item(channel: Channel) -> dict[str, object]:
    """Show a channel."""
    return channel.as_dict()


def sent_or_why_not(delivery: Delivery) -> dict[str, object]:
    """Show how a test ended; the reason holds no secret, whoever wrote it."""
    if delivery.state is State.SENT:
        return {"status": "sent"}
    waits = {} if delivery.approval_id is None else {"approval_id": delivery.approval_id}
    return {"status": "failed", "error": delivery.reason or str(delivery.state), **waits}
