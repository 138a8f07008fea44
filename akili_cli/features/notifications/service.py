"""The verbs on channels, and the outbox: messages are stored with what they tell of, and sent afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from akili_cli.adapters.net.urls import parse_url
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals.approvers import LOCAL_SOURCES
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
Expects = Callable[[Channel], None]
"""Looks at a channel as it is when it is changed, and raises if that is not what was expected."""


def as_it_is(_channel: Channel) -> None:
    """Expect nothing."""


class NotificationReader:
    """What there is to see: channels and deliveries of one organisation; with ``user`` only that user's channels."""

    def __init__(self, db: Database, org: str, user: str | None = None) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._user = user

    async def channels(self) -> list[Channel]:
        """Give every channel by name."""
        known = await self._db.read(lambda connection: store.channels(connection, self._org))
        return [one for one in known if self._user in (None, one.user)]

    async def page(
        self, *, name: str | None = None, before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[Channel]:
        """Give the newest channels, or the one of that name, after a place (time, id) of that list."""
        return await self._db.read(
            lambda conn: store.page(conn, self._org, self._user, name=name, before=before, limit=limit)
        )

    async def by_id(self, channel_id: str) -> Channel:
        """Find a channel by its whole id; raises the same ``NotFoundError`` for one of somebody else's."""
        found = await self._db.read(lambda connection: store.channel_of(connection, self._org, channel_id))
        if found is None or self._user not in (None, found.user):
            raise NotFoundError(f"there is no channel {channel_id[:80]!r}")
        return found

    async def not_sent(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Give of these deliveries those of which nothing was sent, each with its channel and the reason."""
        return await self._db.read(lambda connection: store.not_sent(connection, self._org, ids))

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

    def mine(self, by: Principal) -> NotificationReader:
        """Give what reads only what is theirs; an admin's reads everything."""
        return NotificationReader(self.db, self.org, None if self.is_admin(by) else by.user)

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

    async def edit(
        self,
        typed: str,
        by: Principal,
        *,
        kind: str | None = None,
        config: Mapping[str, str] | None = None,
        credential_ref: str | None = None,
        enabled: bool | None = None,
        expects: Expects = as_it_is,
    ) -> Channel:
        """Change a channel of one's own (an admin: anybody's), for the record; what is None stays.

        ``config`` is replaced whole. Everything is checked again, as for a new channel; raises as ``add`` and
        ``remove``.
        """
        seen = await self._owned(typed, by)

        def work(connection: Connection) -> Channel:
            old = self._still(connection, seen, expects)
            new = replace(
                old,
                type=kind or old.type,
                config=_checked(old.name, kind or old.type, old.config if config is None else config),
                credential_ref=old.credential_ref if credential_ref is None else credential_ref,
                enabled=old.enabled if enabled is None else enabled,
                updated_at=self.clock.now(),
            )
            self._check_credential(new.type, new.credential_ref)
            store.change_channel(connection, new)
            return new

        new = await self.db.write(work)
        shown = {key: _shown(key, value) for key, value in new.config.items()}
        said = {"type": new.type, "config": shown, "credential_ref": new.credential_ref or "", "enabled": new.enabled}
        await self._record(by, "edit", new.name, said)
        return new

    async def remove(self, typed: str, by: Principal, *, expects: Expects = as_it_is) -> Channel:
        """Forget a channel, for the record; raises ``NotFoundError``, ``PolicyDeniedError`` for others' channels."""
        seen = await self._owned(typed, by)

        def work(connection: Connection) -> Channel:
            channel = self._still(connection, seen, expects)
            store.remove_channel(connection, self.org, channel.name)
            return channel

        channel = await self.db.write(work)
        await self._record(by, "rm", channel.name, {"type": channel.type})
        return channel

    async def enable(self, typed: str, by: Principal, *, enabled: bool) -> Channel:
        """Switch a channel on or off, for the record; raises as ``remove``."""
        channel = await self._owned(typed, by)
        at, name = self.clock.now(), channel.name
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

    def unknown(
        self, connection: Connection, org: str, channels: Sequence[str], by: Principal | None = None
    ) -> tuple[str, ...]:
        """Give the names that no channel has; with ``by`` also those of channels that they may not name.

        Whoever sits at this machine's terminal may name any. From elsewhere it must be one's own or one that an admin
        made, which is everybody's; an admin may name any.
        """
        known = {one.name for one in store.channels(connection, org) if by is None or self._may_name(one, by)}
        return tuple(name for name in dict.fromkeys(channels) if name not in known)

    async def submit(self, notice: Notice) -> list[Delivery]:
        """Store a notice in a transaction of its own; give its deliveries as stored."""
        now = self.clock.now()
        ids = await self.db.write(lambda connection: self.queue(connection, self.org, notice, now))
        return [await self.reader.delivery(one) for one in ids]

    async def test(self, typed: str, by: Principal, lease_s: float) -> Delivery:
        """Store the fixed test message, for one try and claimed by the caller, who sends it now.

        Raises ``NotFoundError``, from elsewhere than the terminal also for somebody else's channel; a disabled channel
        gives a delivery that failed.
        """
        name = (await self._found(typed, by)).name
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

    def _may_name(self, channel: Channel, by: Principal) -> bool:
        if by.source in LOCAL_SOURCES or channel.user == by.user or self.is_admin(by):
            return True
        return self.is_admin(Principal(channel.user, by.source, org=by.org))

    def _still(self, connection: Connection, seen: Channel, expects: Expects) -> Channel:
        channel = store.channel_of(connection, self.org, seen.id)
        if channel is None:
            raise NotFoundError(f"the channel {seen.name} is gone", hint="see: akili channels list")
        expects(channel)
        return channel

    async def _found(self, typed: str, by: Principal) -> Channel:
        if by.source in LOCAL_SOURCES:
            return await self.reader.channel(typed)
        return await self.mine(by).by_id(typed)

    async def _owned(self, typed: str, by: Principal) -> Channel:
        self._require(by)
        channel = await self._found(typed, by)
        if channel.user != by.user and not self.is_admin(by):
            raise PolicyDeniedError(
                f"the channel {channel.name} belongs to {channel.user}", hint="ask them, or an admin"
            )
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
