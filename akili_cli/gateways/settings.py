"""Settings of all gateways: ``gateways``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from akili_cli.gateways.http.settings import HttpSettings


class GatewaysSettings(BaseModel):
    """``gateways``: what listens for people and programs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    http: HttpSettings = HttpSettings.model_validate({})
