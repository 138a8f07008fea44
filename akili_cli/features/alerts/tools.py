"""``create_alert``, which models may ask for, and ``endpoint_check``, which only alerts make."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from pydantic import Field

from akili_cli.adapters.net.outgoing import SYSTEM_WIRE, Wire, host_and_port
from akili_cli.adapters.net.urls import parse_url
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.core.tools.base import ToolArgs
from akili_cli.domain.calls import Principal, Source, ToolOutput
from akili_cli.domain.clock import Clock, iso
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, PolicyDeniedError, ToolFailedError
from akili_cli.domain.hosts import host_name
from akili_cli.domain.risk import Risk
from akili_cli.features.alerts.model import (
    AlertRule,
    Channels,
    CheckType,
    Config,
    Cooldown,
    Expression,
    Name,
    NOf,
    RuleDraft,
    TargetText,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECK_TOOL = "endpoint_check"
DAY_S = 86400.0


class EndpointCheckArgs(ToolArgs):
    """What to knock at: a ``url`` for http, ``host`` and ``port`` for tcp and tls."""

    kind: Literal["http", "tcp", "tls"]
    url: str = Field("", max_length=8192)
    host: str = Field("", max_length=300)
    port: int = Field(0, ge=0, le=65_535)
    timeout_s: float = Field(10.0, gt=0, le=60, strict=False)
    expected_status: int = Field(200, ge=100, le=599, description="for http")
    min_days: int = Field(14, ge=0, le=3650, description="for tls: so long the certificate must last")


class EndpointCheck:
    """See whether a host answers. What it says beyond that is not read."""

    name: ClassVar[str] = CHECK_TOOL
    permission: ClassVar[str] = "web_search"
    summary: ClassVar[str] = "See whether a URL, a port or a certificate is as it should be."
    risk: ClassVar[Risk] = Risk.LOW
    read_only: ClassVar[bool] = False  # an answer that was kept would say nothing about now
    idempotent: ClassVar[bool] = True
    Args: ClassVar[type[ToolArgs]] = EndpointCheckArgs

    def __init__(self, private_hosts: tuple[str, ...], clock: Clock, *, wire: Wire = SYSTEM_WIRE) -> None:
        """Keep the internal hosts (``host:port``) that may be reached; ``wire`` replaces the system's way to others."""
        self._private_hosts = private_hosts
        self._clock = clock
        self._wire = wire

    def effects(self, args: EndpointCheckArgs) -> Effects:
        """Declare the one host and port; raises ``InvalidArgumentsError`` for what is none."""
        return Effects(hosts=(self._authority(args),))

    async def run(self, args: EndpointCheckArgs, permit: Permit) -> ToolOutput:
        """Knock; what does not answer, or not as expected, is ``ok=False`` with ``checked`` in the metadata.

        Raises ``PolicyDeniedError`` for an address that may not be reached.
        """
        metadata: dict[str, object] = {"checked": args.kind}
        try:
            ok, said, more = await self._knock(args, permit)
        except ToolFailedError as error:
            return ToolOutput(str(error), ok=False, metadata=metadata)
        return ToolOutput(said, ok=ok, metadata={**metadata, **more})

    async def _knock(self, args: EndpointCheckArgs, permit: Permit) -> tuple[bool, str, Mapping[str, object]]:
        from akili_cli.adapters.net.probe import probe_http, probe_tcp, probe_tls

        authority, private, wire, limit = self._authority(args), self._private_hosts, self._wire, args.timeout_s
        if args.kind == "http":
            status = await probe_http(args.url, permit=permit, private_hosts=private, timeout_s=limit, wire=wire)
            ok = status == args.expected_status
            said = f"{authority} answered {status}" + ("" if ok else f" instead of {args.expected_status}")
            return ok, said, {"status_code": status}
        if args.kind == "tcp":
            await probe_tcp(authority, permit=permit, private_hosts=private, timeout_s=limit, wire=wire)
            return True, f"{authority} takes connections", {}
        ends = await probe_tls(authority, permit=permit, private_hosts=private, timeout_s=limit, wire=wire)
        days = math.floor((ends - self._clock.now()) / DAY_S)
        ok = days >= args.min_days
        said = f"the certificate of {authority} ends {iso(ends)}, in {days} days"
        return ok, said + ("" if ok else f": fewer than {args.min_days}"), {"not_after": iso(ends), "days": days}

    def _authority(self, args: EndpointCheckArgs) -> str:
        wants_url = args.kind == "http"
        if wants_url != bool(args.url) or wants_url == bool(args.host) or wants_url == bool(args.port):
            raise InvalidArgumentsError("http needs a url; tcp and tls need host and port")
        if wants_url:
            return parse_url(args.url).authority
        if host_name(args.host) is None:
            raise InvalidArgumentsError(f"{args.host[:80]!r} is not a host")
        return host_and_port(args.host, args.port)


class Rules(Protocol):
    """Makes rules."""

    async def add(self, draft: RuleDraft, by: Principal) -> AlertRule:
        """Make a rule whose checks run as ``by``."""


class CreateAlertArgs(ToolArgs):
    """A new rule."""

    name: Name
    target: TargetText = Field(description="a URL, host:port or command, as the type of check wants it")
    check_type: CheckType = Field(description="http_status, tcp, tls_expiry, command or heartbeat_missing")
    cron_expression: Expression = Field(
        description="minute hour day-of-month month day-of-week; `CRON_TZ=Zone` in front"
    )
    channels: Channels = Field(strict=False, description="names of configured channels")
    check_config: Config = Field(default_factory=dict, description="such as expected_status, timeout_seconds, min_days")
    cooldown_seconds: Cooldown | None = Field(None, description="at least so long between two messages")
    n_of: NOf = Field("1 of 1", description="bad after so many bad of the last checks, as `2 of 3`")
    description: Text = ""
    enabled: bool = True


class CreateAlert:
    """Make an alert rule; its checks run as whoever this call is made for, through the same policy."""

    name: ClassVar[str] = "create_alert"
    permission: ClassVar[str] = "create_alert"
    summary: ClassVar[str] = "Watch a target at the times of a cron expression and tell channels when it changes."
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = CreateAlertArgs

    def __init__(self, rules: Rules) -> None:
        """Keep who makes rules."""
        self._rules = rules

    def effects(self, args: CreateAlertArgs) -> Effects:
        """Declare the channels it would write to; raises for an expression that is none or never fires."""
        parse_cron(args.cron_expression)
        return Effects(channels=args.channels)

    async def run(self, args: CreateAlertArgs, permit: Permit) -> ToolOutput:
        """Make it."""
        if not permit.user:
            return ToolOutput("nobody is known to make this rule for", ok=False)
        by = Principal(permit.user, Source(permit.source))
        try:
            rule = await self._rules.add(RuleDraft.model_validate(args.model_dump()), by)
        except (ConflictError, InvalidArgumentsError, PolicyDeniedError) as error:
            return ToolOutput(f"Error: {error}", ok=False)
        metadata = {
            "rule_id": rule.id,
            "cron_expression": rule.cron_expression,
            "next_run_at": iso(rule.next_run_at),
            "channels": list(rule.channels),
            "enabled": rule.enabled,
        }
        return ToolOutput(f"rule {rule.name} ({rule.id}) checks next at {iso(rule.next_run_at)}", metadata=metadata)
