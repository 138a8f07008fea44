"""One file for each type of channel."""

from __future__ import annotations

from typing import cast

from akili_cli.domain.registry import Registry
from akili_cli.features.notifications.channels.base import ChannelType

_HERE = "akili_cli.features.notifications.channels"
TYPES = Registry(
    "channel type",
    {
        "telegram": f"{_HERE}.telegram:Telegram",
        "slack": f"{_HERE}.slack:Slack",
        "whatsapp": f"{_HERE}.whatsapp:WhatsApp",
        "signal": f"{_HERE}.signal:Signal",
        "email": f"{_HERE}.email:Email",
        "webhook": f"{_HERE}.webhook:Webhook",
        "apprise": f"{_HERE}.apprise:AppriseChannel",
    },
)


def channel_type(name: str) -> ChannelType:
    """Give a type by its name; raises ``NotFoundError``."""
    return cast("type[ChannelType]", TYPES.load(name))()
