"""``send_notification``, which models may ask for, and ``notification_deliver``, which only the outbox does."""

from __future__ import annotations

from typing import Annotated, ClassVar, Protocol

from pydantic import Field, StringConstraints

from akili_cli.core.schedule.base import Notice
from akili_cli.core.tools.base import ToolArgs
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.risk import Risk
from akili_cli.features.notifications.model import Delivery, State

MAX_CHANNELS = 20
ChannelName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Outbox(Protocol):
    """Takes messages to be sent later."""

    async def submit(self, notice: Notice) -> list[Delivery]:
        """Store a notice; give its deliveries."""


class Carrier(Protocol):
    """Sends what was stored."""

    async def type_of(self, name: str) -> str:
        """Give the type of a channel, or nothing when there is none of that name."""

    async def deliver(self, delivery_id: str, channel: str, host: str, permit: Permit) -> Delivery:
        """Make one try; give the delivery as it is then."""


class SendNotificationArgs(ToolArgs):
    """What to tell whom."""

    channels: tuple[ChannelName, ...] = Field(
        min_length=1, max_length=MAX_CHANNELS, strict=False, description="names of configured channels"
    )
    message: str = Field(min_length=1, max_length=65_536, description="plain text")
    subject: str = Field("", max_length=200, description="one line")


class SendNotification:
    """Store a message for channels; it is sent right afterwards, each delivery as a call of its own.

    Its effects count as reversible: a message to people the operator named changes nothing that would have to be put
    back.
    """

    name: ClassVar[str] = "send_notification"
    permission: ClassVar[str] = "send_notification"
    summary: ClassVar[str] = "Send a message to configured notification channels (chat, mail, webhook) by name."
    risk: ClassVar[Risk] = Risk.MEDIUM
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = SendNotificationArgs

    def __init__(self, outbox: Outbox) -> None:
        """Keep the outbox."""
        self._outbox = outbox

    def effects(self, args: SendNotificationArgs) -> Effects:
        """Declare the channels."""
        return Effects(channels=tuple(dict.fromkeys(args.channels)))

    async def run(self, args: SendNotificationArgs, permit: Permit) -> ToolOutput:
        """Store it; unknown and disabled channels are named and make it ``ok=False``."""
        if not permit.user:
            return ToolOutput("nobody is known to send this as", ok=False)
        notice = Notice(
            key=f"send_notification:{new_uuid()}",
            channels=args.channels,
            subject=args.subject,
            body=args.message,
            user=permit.user,
            source=permit.source,
            metadata={"type": "send_notification", "run_id": permit.run_id},
        )
        stored = await self._outbox.submit(notice)
        lines = [
            f"{one.channel}: not sent, {one.reason}"
            if one.state is State.FAILED
            else f"{one.channel}: queued ({one.id})"
            for one in stored
        ]
        failed = [one.channel for one in stored if one.state is State.FAILED]
        return ToolOutput(
            "\n".join(lines),
            ok=not failed,
            metadata={"deliveries": {one.channel: one.id for one in stored}, "failed": failed},
        )


class DeliverArgs(ToolArgs):
    """One delivery, and where it goes: policy rules on channel and host, and nothing else is then reached."""

    delivery_id: str = Field(min_length=1, max_length=64)
    channel: str = Field(min_length=1, max_length=200)
    host: str = Field(max_length=300, description="host:port; empty when the channel cannot be sent to")


class NotificationDeliver:
    """Send one stored message to its channel: what the outbox asks for, on behalf of whoever the message is from."""

    name: ClassVar[str] = "notification_deliver"
    permission: ClassVar[str] = "send_notification"
    summary: ClassVar[str] = "Deliver one stored notification to its channel."
    risk: ClassVar[Risk] = Risk.MEDIUM
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = DeliverArgs

    def __init__(self, carrier: Carrier) -> None:
        """Keep who sends."""
        self._carrier = carrier

    def effects(self, args: DeliverArgs) -> Effects:
        """Declare the channel and its host."""
        return Effects(channels=(args.channel,), hosts=(args.host,) if args.host else ())

    async def run(self, args: DeliverArgs, permit: Permit) -> ToolOutput:
        """Make one try; what was not taken is ``ok=False`` with the reason.

        Raises ``PolicyDeniedError`` for somebody else's delivery or a channel that leads elsewhere, ``ConflictError``
        for one that is not waiting.
        """
        after = await self._carrier.deliver(args.delivery_id, args.channel, args.host, permit)
        metadata: dict[str, object] = {"state": str(after.state), "tries": after.tries, "channel": after.channel}
        metadata["channel_type"] = await self._carrier.type_of(after.channel)
        if after.state is State.SENT:
            said = f"sent to {after.channel}" + (f"; {after.reason}" if after.reason else "")
            return ToolOutput(said, metadata=metadata)
        return ToolOutput(f"{after.channel}: {after.reason}", ok=False, metadata=metadata)
