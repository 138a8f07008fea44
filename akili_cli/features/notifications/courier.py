"""Sends one delivery, part by part, and writes down before and after each part how far it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from akili_cli.adapters.net.outgoing import SYSTEM_WIRE, Apprise, Mail, Post, Wire
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import (
    AkiliError,
    ConfigError,
    ConflictError,
    InvalidArgumentsError,
    NotFoundError,
    PolicyDeniedError,
    RefusedError,
    StorageError,
    ToolFailedError,
)
from akili_cli.features.notifications import store
from akili_cli.features.notifications.channels import TYPES, channel_type
from akili_cli.features.notifications.channels.base import ChannelType, Request, Surroundings
from akili_cli.features.notifications.logic import MAX_WAIT_S, backoff_s
from akili_cli.features.notifications.model import (
    Account,
    Channel,
    Delivered,
    Delivery,
    Failed,
    Message,
    Outcome,
    Retry,
    State,
)

LEASE_S = 120.0
MAX_REASON_CHARS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """Delivers for one organisation; the only part of this room that uses the network, and only with a permit."""

    db: Database
    org: str
    around: Surroundings
    secrets: SecretChain
    redactor: Redactor
    clock: Clock
    wire: Wire = SYSTEM_WIRE

    async def endpoint(self, name: str) -> str:
        """Give the ``host:port`` a channel's messages go to, or nothing when it cannot be sent to."""
        channel = await self._channel(name)
        if channel is None:
            return ""
        try:
            return channel_type(channel.type).endpoint(self._account(channel), self.around)
        except AkiliError:
            return ""  # the try itself will say why

    async def type_of(self, name: str) -> str:
        """Give the type of a channel, or nothing when there is none of that name."""
        channel = await self._channel(name)
        return "" if channel is None else channel.type

    async def deliver(self, delivery_id: str, channel: str, host: str, permit: Permit) -> Delivery:
        """Make one try, and give the delivery as it is then.

        1. The delivery must be this channel's and this user's, and waiting to be sent. 2. The channel must lead where
        the call said. 3. Before a part is handed over that is written down, and after it that it was taken: parts
        that were taken are never sent again.

        Raises ``PolicyDeniedError`` for somebody else's delivery or another host, ``ConflictError`` when it is not
        waiting.
        """
        delivery = await self._begun(delivery_id, channel, permit)
        try:
            outcome = await self._try(delivery, host, permit)
        except RefusedError as error:
            await self._settle(delivery, Failed(str(error)))
            raise
        return await self._settle(delivery, outcome)

    async def _begun(self, delivery_id: str, channel: str, permit: Permit) -> Delivery:
        found = await self.db.read(lambda connection: store.delivery(connection, self.org, delivery_id))
        if found is None or found.channel != channel or found.user != permit.user:
            raise PolicyDeniedError(f"{permit.user} has no such delivery to {channel[:80]}")
        lease = self.clock.now() + LEASE_S
        begun = await self.db.write(lambda connection: store.begin(connection, self.org, delivery_id, lease))
        if begun is None:
            raise ConflictError(f"delivery {delivery_id[:8]} is {found.state}: there is nothing to send")
        return begun

    async def _try(self, delivery: Delivery, host: str, permit: Permit) -> Outcome:
        channel = await self._channel(delivery.channel)
        if channel is None:
            return Failed(f"there is no channel {delivery.channel!r}")
        if not channel.enabled:
            return Failed("the channel is disabled")
        try:
            kind = channel_type(channel.type)
            account = self._account(channel)
            endpoint = kind.endpoint(account, self.around)
        except (ConfigError, InvalidArgumentsError, NotFoundError) as error:
            return _permanent(error)
        if endpoint != host:
            raise PolicyDeniedError(f"the channel {channel.name} leads to {endpoint}, and not where this call may go")
        message = Message(
            id=delivery.id,
            channel=delivery.channel,
            subject=delivery.subject,
            body=delivery.body,
            metadata=delivery.metadata,
            created_at=delivery.created_at,
            tried_at=self.clock.now(),
        )
        return await self._parts(delivery, kind, account, message, permit)

    async def _parts(
        self, delivery: Delivery, kind: ChannelType, account: Account, message: Message, permit: Permit
    ) -> Outcome:
        parts = kind.parts(message)
        outcome: Outcome = Delivered()
        for index in range(delivery.parts_done, len(parts)):
            if index > delivery.parts_done:
                await self.clock.sleep(kind.interval_s)
            try:
                request = kind.request(account, self.around, message, parts, index)
            except (ConfigError, InvalidArgumentsError) as error:
                return _permanent(error)
            if not await self.db.write(self._beginning(delivery, index, len(parts)), durable=True):
                raise ConflictError(f"delivery {delivery.id[:8]} was taken over by another process")
            outcome = await self._send(kind, request, permit)
            if not isinstance(outcome, Delivered):
                return outcome
            await self.db.write(self._taken(delivery, index), durable=True)
        return outcome

    def _beginning(self, delivery: Delivery, index: int, total: int) -> Callable[[Connection], bool]:
        lease = self.clock.now() + LEASE_S
        return lambda connection: store.begin_part(connection, self.org, delivery.id, index, total, lease)

    def _taken(self, delivery: Delivery, index: int) -> Callable[[Connection], None]:
        return lambda connection: store.part_done(connection, self.org, delivery.id, index)

    async def _send(self, kind: ChannelType, request: Request, permit: Permit) -> Outcome:
        try:
            match request:
                case Post():
                    return await self._post(kind, request, permit)
                case Mail():
                    return await self._mail(kind, request, permit)
                case Apprise():
                    return await self._apprise(kind, request, permit)
        except ToolFailedError as error:
            return Retry(str(error)) if error.retryable else Failed(str(error))
        except (ConfigError, InvalidArgumentsError) as error:
            return _permanent(error)

    async def _post(self, kind: ChannelType, request: Post, permit: Permit) -> Outcome:
        from akili_cli.adapters.net.post import post

        answer = await post(
            request,
            permit=permit,
            private_hosts=self.around.private_hosts,
            allowed_ports=self.around.allowed_ports,
            timeout_s=kind.timeout_s,
            wire=self.wire,
        )
        return kind.outcome(answer, self.clock.now())

    async def _mail(self, kind: ChannelType, request: Mail, permit: Permit) -> Outcome:
        from akili_cli.adapters.net.mail import send_mail

        refused = await send_mail(
            request,
            permit=permit,
            private_hosts=self.around.private_hosts,
            timeout_s=kind.timeout_s,
            wire=self.wire,
        )
        return Delivered("; ".join(f"{who} was refused: {why}" for who, why in refused.items()))

    async def _apprise(self, kind: ChannelType, request: Apprise, permit: Permit) -> Outcome:
        from akili_cli.adapters.net.apprise import send_apprise

        await send_apprise(
            request,
            permit=permit,
            private_hosts=self.around.private_hosts,
            timeout_s=kind.timeout_s,
            wire=self.wire,
        )
        return Delivered()

    async def _settle(self, delivery: Delivery, outcome: Outcome) -> Delivery:
        now = self.clock.now()
        state, reason, due = _next(delivery, outcome, now)
        reason = self.redactor.text(reason)[:MAX_REASON_CHARS]
        wait = outcome.after_s if isinstance(outcome, Retry) else None

        def write(connection: Connection) -> Delivery | None:
            store.settle(connection, delivery, state, reason=reason, due_at=due, now=now)
            channel = store.channel(connection, self.org, delivery.channel)
            if channel is not None and channel.type in TYPES.names():
                pause = channel_type(channel.type).interval_s if wait is None else min(wait, MAX_WAIT_S)
                store.free_channel(connection, self.org, channel.name, now + pause)
            return store.delivery(connection, self.org, delivery.id)

        after = await self.db.write(write, durable=True)
        if after is None:
            raise StorageError(f"delivery {delivery.id[:8]} is gone")
        return after

    async def _channel(self, name: str) -> Channel | None:
        return await self.db.read(lambda connection: store.channel(connection, self.org, name))

    def _account(self, channel: Channel) -> Account:
        kind = channel_type(channel.type)
        default = kind.default_credential(self.around.settings)
        reference = channel.credential_ref or default
        if reference is None:
            return Account(channel.config, None)
        if reference == default:
            return Account(channel.config, self.secrets.resolve(reference))
        return Account(channel.config, self.secrets.resolve_for_tool(reference))


def _permanent(error: AkiliError) -> Failed:
    return Failed(f"{error} ({error.hint})" if error.hint else str(error))


def _next(delivery: Delivery, outcome: Outcome, now: float) -> tuple[State, str, float]:
    """Give the state after a try, why, and when to try again."""
    match outcome:
        case Delivered():
            return State.SENT, outcome.note, now
        case Failed():
            return State.FAILED, outcome.reason, now
        case Retry():
            if delivery.tries >= delivery.max_tries:
                return State.FAILED, f"{outcome.reason} (tried {delivery.tries} times)", now
            if outcome.after_s is not None and outcome.after_s > MAX_WAIT_S:
                return State.FAILED, f"{outcome.reason} (it asks to wait {outcome.after_s:.0f} s)", now
            wait = backoff_s(delivery.tries)
            return State.QUEUED, outcome.reason, now + max(wait, outcome.after_s or 0.0)
