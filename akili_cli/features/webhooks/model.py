"""What a webhook is once it is open, and what alertmanager delivers."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from akili_cli.features.webhooks.settings import WebhookSettings


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook with its secret."""

    settings: WebhookSettings
    secret: str = field(repr=False)


class Alert(BaseModel):
    """One alert of a delivery; alertmanager says more, which is not needed to tell it apart."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    fingerprint: str = Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z]+$")
    status: str = Field(pattern=r"^(firing|resolved)$")


class AlertmanagerDelivery(BaseModel):
    """What alertmanager posts (version 4)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    alerts: tuple[Alert, ...] = Field(min_length=1, max_length=1000)

    def marks(self) -> tuple[str, ...]:
        """Name what is reported, each once."""
        return tuple(dict.fromkeys(f"alert {one.fingerprint} {one.status}" for one in self.alerts))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that begins a run; or, with ``run_id``, one that an earlier run is about already."""

    claim: str
    run_id: str | None = None
