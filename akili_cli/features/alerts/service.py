"""The verbs on alert rules. A rule belongs to whoever made it, and looks with their authority and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.approvals.approvers import LOCAL_SOURCES
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import change_by
from akili_cli.core.schedule.base import Notifier
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import Clock, iso
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, NotFoundError, PolicyDeniedError
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.nearest import nearest
from akili_cli.features.alerts import store
from akili_cli.features.alerts.checks import filled
from akili_cli.features.alerts.model import PERMISSION, AlertRule, Check, Entry, RuleChanges, RuleDraft, n_of
from akili_cli.features.alerts.settings import AlertingSettings

MIN_TYPED = 4
T = TypeVar("T")
Expects = Callable[[AlertRule], None]
"""Looks at a rule as it is when it is changed, and raises if that is not what was expected."""


def as_it_is(_rule: AlertRule) -> None:
    """Expect nothing."""


class AlertReader:
    """What there is to see of one organisation's rules; with ``user`` of theirs only."""

    def __init__(self, db: Database, org: str, user: str | None = None) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._user = user

    async def rules(self) -> list[AlertRule]:
        """Give every rule by name."""
        known = await self._db.read(lambda connection: store.rules(connection, self._org))
        return [rule for rule in known if self._user in (None, rule.user)]

    async def page(
        self, *, name: str | None = None, before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[AlertRule]:
        """Give the newest rules, or the one of that name, after a place (time, id) of that list."""
        return await self._db.read(
            lambda conn: store.page(conn, self._org, self._user, name=name, before=before, limit=limit)
        )

    async def by_id(self, rule_id: str) -> AlertRule:
        """Find a rule by its whole id; raises the same ``NotFoundError`` for one of somebody else's."""
        rule = await self._db.read(lambda connection: store.get(connection, self._org, rule_id))
        if rule is None or self._user not in (None, rule.user):
            raise NotFoundError(f"there is no alert rule {rule_id[:80]!r}")
        return rule

    async def checks(self, rule_id: str, *, before: tuple[float, str] | None = None, limit: int = 50) -> list[Entry]:
        """Give the newest checks of a rule by its id, after a place (time, id) of that list; raises as ``by_id``."""
        rule = await self.by_id(rule_id)
        return await self._db.read(lambda conn: store.history(conn, self._org, [rule.id], limit, before))

    async def rule(self, typed: str) -> AlertRule:
        """Find a rule by name, id, or an unambiguous beginning of its id.

        Raises ``NotFoundError`` that names the nearest, ``ConflictError`` when more than one begins like that.
        """
        known = await self.rules()
        exact = [rule for rule in known if typed in (rule.name, rule.id)]
        found = exact or [rule for rule in known if len(typed) >= MIN_TYPED and rule.id.startswith(typed)]
        if len(found) > 1:
            raise ConflictError(f"more than one rule begins with {typed[:40]}", hint="type more of the id")
        if not found:
            names = [rule.name for rule in known]
            raise NotFoundError(
                f"there is no alert rule {typed[:80]!r}{nearest(typed, names)}", hint="see: akili alerts list"
            )
        return found[0]

    async def history(self, typed: str | None, limit: int) -> list[tuple[str, Entry]]:
        """Give the newest checks, each with its rule's name (its id when the rule is gone)."""
        ids = None if typed is None else [(await self.rule(typed)).id]
        names = {rule.id: rule.name for rule in await self.rules()}
        entries = await self._db.read(lambda connection: store.history(connection, self._org, ids, limit))
        return [(names.get(entry.rule_id, entry.rule_id), entry) for entry in entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertService:
    """Rules of one organisation. ``is_admin`` tells who may change what is not theirs."""

    db: Database
    org: str
    settings: AlertingSettings
    clock: Clock
    audit: AuditLog
    notifier: Notifier
    permissions_of: Callable[[Principal], frozenset[str]]
    is_admin: Callable[[Principal], bool]

    @property
    def reader(self) -> AlertReader:
        """Give what reads the same books."""
        return AlertReader(self.db, self.org)

    def mine(self, by: Principal) -> AlertReader:
        """Give what reads only what is theirs; an admin's reads everything."""
        return AlertReader(self.db, self.org, None if self.is_admin(by) else by.user)

    async def add(self, draft: RuleDraft, by: Principal) -> AlertRule:
        """Make a rule, for the record; its checks run as ``by``.

        Raises ``InvalidArgumentsError`` for a check that could never work, an expression that is none or never fires
        and a channel that is unknown or not theirs to name, ``ConflictError`` for a name that is taken,
        ``PolicyDeniedError`` without the permission.
        """
        self._require(by)
        now = self.clock.now()
        needed, window = n_of(draft.n_of)
        cooldown = draft.cooldown_seconds
        rule = AlertRule(
            id=new_uuid(),
            org=self.org,
            name=draft.name,
            description=draft.description,
            check=filled(Check(draft.check_type, draft.target, draft.check_config)),
            cron_expression=draft.cron_expression,
            channels=tuple(dict.fromkeys(draft.channels)),
            user=by.user,
            enabled=draft.enabled,
            cooldown_seconds=self.settings.default_cooldown_seconds if cooldown is None else cooldown,
            needed=needed,
            window=window,
            next_run_at=parse_cron(draft.cron_expression).next_after(now),
            created_at=now,
            updated_at=now,
        )

        def work(connection: Connection) -> None:
            self._check_channels(connection, rule.channels, (), by)
            store.add(connection, rule)

        await self._write(work, rule.name)
        await self._record(by, "add", rule, draft.model_dump(exclude_unset=True))
        return rule

    async def edit(self, typed: str, changes: RuleChanges, by: Principal, *, expects: Expects = as_it_is) -> AlertRule:
        """Change a rule of one's own (an admin: anybody's), for the record; everything is checked again.

        It keeps looking as its creator. A setting that was the target follows a changed target. A changed expression,
        and switching on again, count from now; a changed check forgets what the last ones found.
        """
        given = changes.model_dump(exclude_none=True, exclude_unset=True)
        rule = await self._change(typed, by, lambda rule: self._edited(rule, changes), expects)
        await self._record(by, "edit", rule, given)
        return rule

    async def mute(self, typed: str, until: float | None, by: Principal) -> AlertRule:
        """Let a rule say nothing until then (None: let it speak), for the record; it goes on checking.

        What it would have said is said at the end if it is still true. Raises ``InvalidArgumentsError`` for a time
        that is over.
        """
        now = self.clock.now()
        if until is not None and until <= now:
            raise InvalidArgumentsError("the mute would be over already")
        rule = await self._change(typed, by, lambda rule: replace(rule, muted_until=until, updated_at=now))
        told = {} if until is None else {"until": iso(until)}
        await self._record(by, "unmute" if until is None else "mute", rule, told)
        return rule

    async def remove(self, typed: str, by: Principal, *, expects: Expects = as_it_is) -> AlertRule:
        """Forget a rule of one's own, for the record; its history stays."""
        seen = await self._owned(typed, by)

        def work(connection: Connection) -> AlertRule:
            rule = self._still(connection, seen, expects)
            store.remove(connection, self.org, rule.id)
            return rule

        rule = await self.db.write(work)
        await self._record(by, "rm", rule, {})
        return rule

    async def to_test(self, typed: str, by: Principal) -> AlertRule:
        """Give the rule to check now, as the requester and never as its creator; raises without the permission.

        From the terminal any rule of the organisation is found, from elsewhere one's own (an admin: anybody's).
        """
        self._require(by)
        return await self._found(typed, by)

    def _edited(self, rule: AlertRule, changes: RuleChanges) -> AlertRule:
        now, old = self.clock.now(), rule.check
        same_type = changes.check_type in (None, old.type)
        config: Mapping[str, str] = old.config if same_type else {}
        check = Check(
            changes.check_type or old.type,
            changes.target or old.target,
            config if changes.check_config is None else changes.check_config,
        )
        needed, window = (rule.needed, rule.window) if changes.n_of is None else n_of(changes.n_of)
        enabled = rule.enabled if changes.enabled is None else changes.enabled
        expression = changes.cron_expression or rule.cron_expression
        new = replace(
            rule,
            name=changes.name or rule.name,
            description=rule.description if changes.description is None else changes.description,
            check=filled(check, old if changes.check_config is None else None),
            cron_expression=expression,
            channels=rule.channels if changes.channels is None else tuple(dict.fromkeys(changes.channels)),
            enabled=enabled,
            cooldown_seconds=changes.cooldown_seconds or rule.cooldown_seconds,
            needed=needed,
            window=window,
            updated_at=now,
        )
        if expression != rule.cron_expression or (enabled and not rule.enabled):
            new = replace(new, next_run_at=parse_cron(expression).next_after(now))
        return new

    async def _change(
        self, typed: str, by: Principal, edit: Callable[[AlertRule], AlertRule], expects: Expects = as_it_is
    ) -> AlertRule:
        """Change a rule as it is now, in one transaction."""
        seen = await self._owned(typed, by)

        def work(connection: Connection) -> AlertRule:
            rule = self._still(connection, seen, expects)
            new = edit(rule)
            self._check_channels(connection, new.channels, rule.channels, by)
            store.change(connection, new)
            if new.check != rule.check or (new.enabled and not rule.enabled):
                store.forget_recent(connection, new)
            return store.get(connection, self.org, rule.id) or new

        return await self._write(work, "of that name")

    def _still(self, connection: Connection, seen: AlertRule, expects: Expects) -> AlertRule:
        rule = store.get(connection, self.org, seen.id)
        if rule is None:
            raise NotFoundError(f"the rule {seen.name} is gone", hint="see: akili alerts list")
        expects(rule)
        return rule

    def _check_channels(
        self, connection: Connection, names: Sequence[str], before: Sequence[str], by: Principal
    ) -> None:
        """Refuse names of no channel, and new ones of channels that are not theirs to name, alike."""
        kept, new = [name for name in names if name in before], [name for name in names if name not in before]
        unknown = self.notifier.unknown(connection, self.org, kept) + self.notifier.unknown(
            connection, self.org, new, by
        )
        if unknown:
            raise InvalidArgumentsError(f"there is no channel {unknown[0]!r}", hint="see: akili channels list")

    def _require(self, by: Principal) -> None:
        if PERMISSION not in self.permissions_of(by):
            raise PolicyDeniedError(
                f"{by.user} may not make or test alert rules: the role does not hold {PERMISSION}",
                hint="security.roles says what a role holds",
            )

    async def _found(self, typed: str, by: Principal) -> AlertRule:
        if by.source in LOCAL_SOURCES:
            return await self.reader.rule(typed)
        return await self.mine(by).by_id(typed)

    async def _owned(self, typed: str, by: Principal) -> AlertRule:
        self._require(by)
        rule = await self._found(typed, by)
        if rule.user != by.user and not self.is_admin(by):
            raise PolicyDeniedError(f"the rule {rule.name} belongs to {rule.user}", hint="ask them, or an admin")
        return rule

    async def _write(self, work: Callable[[Connection], T], name: str) -> T:
        try:
            return await self.db.write(work)
        except ConflictError as error:
            raise ConflictError(f"there is an alert rule {name} already", hint="see: akili alerts list") from error

    async def _record(self, by: Principal, verb: str, rule: AlertRule, said: Mapping[str, object]) -> None:
        parameters = {"rule": rule.name, "rule_id": rule.id, **said}
        await self.audit.append(change_by(by, self.org, f"alerts.{verb}", parameters))
