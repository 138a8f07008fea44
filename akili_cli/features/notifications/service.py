"""The verbs on channels, and the outbox: messages are stored with what they tell of, and sent afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from akili_cli.adapters.net.urls import parse_url
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import change_by
from akili_cli.core.schedule.base import Notice
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, NotFoundError, PolicyDeniedError, UsageError
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.nearest import nearest
from akili_cli.features.notifications import store
from akili_cli.features.notifications.channels import channel_type
from akili_cli.features.notifications.logic import clean_body, clean_subject
from akili_cli.features.notifications.model import Channel, Delivery, State
from akili_cli.features.notifications.settings import NotificationSettings

PERMISSION = "send_notification"
MAX_VALUE_CHARS = 8192
MIN_TYPED = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
SWITCHED_OFF = "notification.enabled is false"


class NotificationReader:
    """What there is to see: channels and deliveries of one organisation."""

    def __init__(self, db: Database, org: str) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org

    async def channels(self) -> list[Channel]:
        """Give every channel by name."""
        return await self._db.read(lambda connection: store.channels(connection, self._org))

    async def channel(self, name: str) -> Channel:
        """Give one channel; raises ``NotFoundError`` that names the nearest."""
        known = await self.channels()
        found = next((one for one in known if one.name == name), None)
        if found is None:
            names = [one.name for one in known]
            raise NotFoundError(
                f"there is no channel {name[:80]!r}{nearest(name, names)}", hint="see: akili channels list"
            )
        return found

    async def deliveries(
        self, *, limit: int = 50, channel: str | None = None, states: Sequence[State] = ()
    ) -> list[Delivery]:
        """Give the newest deliveries, newest first."""
        return await self._db.read(
            lambda connection: store.deliveries(connection, self._org, limit=limit, channel=channel, states=states)
        )

    async def delivery(self, delivery_id: str) -> Delivery:
        """Give one delivery; raises ``NotFoundError``."""
        found = await self._db.read(lambda connection: store.delivery(connection, self._org, delivery_id))
        if found is None:
            raise NotFoundError(f"there is no delivery {delivery_id[:80]!r}", hint="see: akili channels deliveries")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationService:
    """Channels of one organisation, and what is to be sent to them; a ``core.schedule.base.Notifier``.

    ``permissions_of`` gives what a principal's role holds, ``is_admin`` whether they may change others' channels.
    """

    db: Database
    org: str
    settings: NotificationSettings
    secrets: SecretChain
    redactor: Redactor
    clock: Clock
    audit: AuditLog
    permissions_of: Callable[[Principal], frozenset[str]]
    is_admin: Callable[[Principal], bool]

    @property
    def reader(self) -> NotificationReader:
        """Give what reads the same books."""
        return NotificationReader(self.db, self.org)

    async def add(
        self,
        name: str,
        kind: str,
        config: Mapping[str, str],
        by: Principal,
        *,
        credential_ref: str | None = None,
        enabled: bool = True,
    ) -> Channel:
        """Make a channel known, for the record.

        Raises ``UsageError`` for values its type cannot use, ``NotFoundError`` for an unknown type, ``ConflictError``
        for a name that is taken, ``PolicyDeniedError`` for somebody without the permission ``send_notification`` and
        for a reference that is not for channels, ``ConfigError`` for what is no reference.
        """
        self._require(by)
        checked = _checked(name, kind, config)
        self._check_credential(kind, credential_ref)
        now = self.clock.now()
        channel = Channel(
            id=new_uuid(),
            org=self.org,
            name=name,
            type=kind,
            config=checked,
            credential_ref=credential_ref,
            enabled=enabled,
            user=by.user,
            created_at=now,
            updated_at=now,
        )
        try:
            await self.db.write(lambda connection: store.add_channel(connection, channel))
        except ConflictError as error:
            raise ConflictError(f"there is a channel {name!r} already", hint="akili channels rm it first") from error
        shown = {key: _shown(key, value) for key, value in checked.items()}
        await self._record(by, "add", name, {"type": kind, "config": shown, "credential_ref": credential_ref or ""})
        return channel

    async def remove(self, name: str, by: Principal) -> Channel:
        """Forget a channel, for the record; raises ``NotFoundError``, ``PolicyDeniedError`` for others' channels."""
        channel = await self._owned(name, by)
        await self.db.write(lambda connection: store.remove_channel(connection, self.org, name))
        await self._record(by, "rm", name, {"type": channel.type})
        return channel

    async def enable(self, name: str, by: Principal, *, enabled: bool) -> Channel:
        """Switch a channel on or off, for the record; raises as ``remove``."""
        channel = await self._owned(name, by)
        at = self.clock.now()
        await self.db.write(lambda connection: store.enable_channel(connection, self.org, name, enabled, at))
        await self._record(by, "enable" if enabled else "disable", name, {"type": channel.type})
        return await self.reader.channel(name)

    def queue(self, connection: Connection, org: str, notice: Notice, now: float) -> tuple[str, ...]:
        """Store one delivery per channel in the caller's transaction; give their ids.

        An unknown or disabled channel becomes a failed delivery. Registered secrets are taken out before anything is
        stored. A notice whose key is known already for a channel is not stored again.
        """
        Source(notice.source)  # what no entry point is called is a mistake of the caller's, and better found here
        return tuple(
            store.add_delivery(connection, self._delivery(connection, org, notice, name, now))
            for name in dict.fromkeys(notice.channels)
        )

    def unknown(self, connection: Connection, org: str, channels: Sequence[str]) -> tuple[str, ...]:
        """Give the names that no channel has."""
        known = {channel.name for channel in store.channels(connection, org)}
        return tuple(name for name in dict.fromkeys(channels) if name not in known)

    async def submit(self, notice: Notice) -> list[Delivery]:
        """Store a notice in a transaction of its own; give its deliveries as stored."""
        now = self.clock.now()
        ids = await self.db.write(lambda connection: self.queue(connection, self.org, notice, now))
        return [await self.reader.delivery(one) for one in ids]

    async def test(self, name: str, by: Principal, lease_s: float) -> Delivery:
        """Store the fixed test message, for one try and claimed by the caller, who sends it now.

        Raises ``NotFoundError``; a disabled channel gives a delivery that failed.
        """
        await self.reader.channel(name)
        now = self.clock.now()
        notice = Notice(
            key=f"test:{new_uuid()}",
            channels=(name,),
            subject="akili test message",
            body=f"This is a test of the channel {name}, asked for by {by.user}.",
            user=by.user,
            source=str(by.source),
            metadata={"type": "test"},
        )

        def claimed(connection: Connection) -> str:
            (delivery_id,) = self.queue(connection, self.org, notice, now)
            store.claim_for_test(connection, self.org, delivery_id, now + lease_s)
            return delivery_id

        delivery_id = await self.db.write(claimed)
        return await self.reader.delivery(delivery_id)

    def _delivery(self, connection: Connection, org: str, notice: Notice, name: str, now: float) -> Delivery:
        why = self._why_not(connection, org, name)
        hide = self.redactor.text
        return Delivery(
            id=new_uuid(),
            org=org,
            key=notice.key,
            channel=name[:200],
            subject=clean_subject(hide(notice.subject)),
            body=clean_body(hide(notice.body)),
            metadata={key[:200]: hide(value)[:2000] for key, value in notice.metadata.items()},
            user=notice.user,
            source=notice.source,
            state=State.FAILED if why else State.QUEUED,
            reason=why,
            max_tries=self.settings.max_tries,
            due_at=now,
            created_at=now,
            finished_at=now if why else None,
        )

    def _why_not(self, connection: Connection, org: str, name: str) -> str:
        if not self.settings.enabled:
            return SWITCHED_OFF
        channel = store.channel(connection, org, name)
        if channel is None:
            return f"there is no channel {name[:80]!r}"
        return "" if channel.enabled else "the channel is disabled"

    def _require(self, by: Principal) -> None:
        if PERMISSION not in self.permissions_of(by):
            raise PolicyDeniedError(
                f"{by.user} may not change channels: the role does not hold {PERMISSION}",
                hint="security.roles says what a role holds",
            )

    async def _owned(self, name: str, by: Principal) -> Channel:
        self._require(by)
        channel = await self.reader.channel(name)
        if channel.user != by.user and not self.is_admin(by):
            raise PolicyDeniedError(f"the channel {name} belongs to {channel.user}", hint="ask them, or an admin")
        return channel

    def _check_credential(self, kind: str, reference: str | None) -> None:
        wanted = channel_type(kind)
        default = wanted.default_credential(self.settings)
        if reference is not None and reference != default:
            self.secrets.check_for_tool(reference)
        if reference is None and wanted.secret and default is None:
            raise UsageError(f"a channel of type {kind} needs a credential", hint="--credential-ref env://NAME")

    async def _record(self, by: Principal, verb: str, name: str, said: Mapping[str, object]) -> None:
        parameters = {"channel": name, **said}
        await self.audit.append(change_by(by, self.org, f"channels.{verb}", parameters))


def _checked(name: str, kind: str, config: Mapping[str, str]) -> dict[str, str]:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} cannot be a channel's name", hint="letters, digits, . _ and -, at most 64")
    wanted = channel_type(kind)
    known = (*wanted.required, *wanted.optional)
    for key, value in config.items():
        if key not in known:
            says = f"known: {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"{kind} has no setting {key[:60]!r}{nearest(key, known)}", hint=says)
        if not value.strip() or len(value) > MAX_VALUE_CHARS or not value.isprintable():
            raise UsageError(f"{key} is empty, too long or holds a character that cannot be shown")
    missing = [key for key in wanted.required if key not in config]
    if missing:
        raise UsageError(f"{kind} needs {', '.join(missing)}", hint=f"--set {missing[0]}=...")
    problem = wanted.problem(config)
    if problem is not None:
        raise UsageError(problem)
    return dict(config)


def _shown(key: str, value: str) -> str:
    """Keep of a URL what says where it leads: the rest may be a token."""
    return parse_url(value).authority if key.endswith("url") else value
