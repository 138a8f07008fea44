"""The verbs on API keys, and the question whose key it is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from akili_cli.adapters.storage.base import Database
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import Kind, change_by
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, NotFoundError, PolicyDeniedError
from akili_cli.features.keys import store
from akili_cli.features.keys.model import ApiKey, KeyDraft, KeyOwner, Token, hash_of, new_salt, new_token, parse_token

USED_EVERY_S = 60.0
MAX_PROVEN = 1024
_NOBODY = "00" * 16
"""The salt of ids that nobody has: they cost as much time as those that somebody has."""


class KeyReader:
    """What there is to see of one organisation's keys."""

    def __init__(self, db: Database, org: str, clock: Clock) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._clock = clock

    async def keys(self, user: str | None = None) -> list[ApiKey]:
        """Give a user's keys, or everybody's, newest first."""
        return await self._db.read(lambda connection: store.keys(connection, self._org, user))

    async def has_live(self) -> bool:
        """Tell whether any key opens anything."""
        now = self._clock.now()
        return await self._db.read(lambda connection: store.has_live(connection, self._org, now))


@dataclass(frozen=True, slots=True)
class Proofs:
    """Secrets that this process has seen fit their hash, so that scrypt runs once for each.

    Kept as an HMAC under a key of this process alone; at most 1024, the longest unused goes first.
    """

    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _kept: OrderedDict[str, bytes] = field(default_factory=OrderedDict, repr=False)

    def knows(self, key: ApiKey, secret: str) -> bool:
        """Tell whether a secret was seen to fit this very hash."""
        proof = self._kept.get(key.hash)
        fits = hmac.compare_digest(proof or b"", self._proof(key, secret))
        if fits:
            self._kept.move_to_end(key.hash)
        return fits

    def keep(self, key: ApiKey, secret: str) -> None:
        """Remember that a secret fits."""
        self._kept[key.hash] = self._proof(key, secret)
        if len(self._kept) > MAX_PROVEN:
            self._kept.popitem(last=False)

    def _proof(self, key: ApiKey, secret: str) -> bytes:
        return hmac.new(self._secret, f"{key.hash}:{secret}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyService:
    """Keys of one organisation. ``is_admin`` tells who may see to the keys of others."""

    db: Database
    org: str
    clock: Clock
    audit: AuditLog
    role_of: Callable[[Principal], str | None]
    is_admin: Callable[[Principal], bool]
    register: Callable[[str, str], None]
    _proofs: Proofs = field(default_factory=Proofs)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def reader(self) -> KeyReader:
        """Give what reads the same books."""
        return KeyReader(self.db, self.org, self.clock)

    async def create(self, draft: KeyDraft, by: Principal) -> tuple[ApiKey, str]:
        """Make a key, for the record; the token is given here once and never again.

        Raises ``PolicyDeniedError`` for somebody else's key, ``InvalidArgumentsError`` for a role the user has not.
        """
        self._require(by, draft.user)
        self._check_role(draft)
        now = self.clock.now()
        token, salt = new_token(), new_salt()
        self.register(str(token), "api-key")
        key = ApiKey(
            id=token.id,
            org=self.org,
            user=draft.user,
            role=draft.role or "",
            name=draft.name,
            salt=salt,
            hash=await asyncio.to_thread(hash_of, token.secret, salt),
            created_at=now,
            expires_at=None if draft.expires_in_s is None else now + draft.expires_in_s,
        )
        await self.db.write(lambda connection: store.add(connection, key), durable=True)
        await self._record(by, "create", key)
        return key, str(token)

    async def listed(self, by: Principal) -> list[ApiKey]:
        """Give one's own keys; to an admin and at the terminal everybody's."""
        return await self.reader.keys(None if self._may_for_all(by) else by.user)

    async def revoke(self, key_id: str, by: Principal) -> ApiKey:
        """End a key now, on every node, for the record; give it as it is then.

        Raises ``NotFoundError``, also for somebody else's, and ``ConflictError`` when it was revoked before.
        """
        key = await self.db.read(lambda connection: store.get(connection, self.org, key_id))
        if key is None or not (key.user == by.user or self._may_for_all(by)):
            raise NotFoundError(f"there is no key {key_id[:40]!r}", hint="see: akili keys list")
        now = self.clock.now()
        if not await self.db.write(lambda connection: store.revoke(connection, self.org, key_id, now), durable=True):
            raise ConflictError(f"the key {key_id} was revoked before", hint="see: akili keys list")
        await self._record(by, "revoke", key)
        return replace(key, revoked_at=now)

    async def verify(self, token: str, *, known_only: bool = False) -> KeyOwner | None:
        """Tell whose key this is; nothing for one that is unknown, revoked, over, or bound to another role.

        The row is read each time. With ``known_only`` only keys that this process has seen before count, which is
        quick; otherwise an unknown id takes as long as a wrong secret.
        """
        given = parse_token(token)
        if given is None:
            return None
        key = await self.db.read(lambda connection: store.get(connection, self.org, given.id))
        if key is not None and self._proofs.knows(key, given.secret):
            return await self._owner(key)
        if known_only or not await self._fits(key, given) or key is None:
            return None
        return await self._owner(key)

    async def _fits(self, key: ApiKey | None, given: Token) -> bool:
        """Run scrypt beside the event loop, one at a time: each takes 16 MiB and a core."""
        async with self._one_at_a_time:
            if key is not None and self._proofs.knows(key, given.secret):
                return True
            found = await asyncio.to_thread(hash_of, given.secret, _NOBODY if key is None else key.salt)
            if key is None or not hmac.compare_digest(found, key.hash):
                return False
            self._proofs.keep(key, given.secret)
            self.register(str(given), "api-key")
            return True

    async def _owner(self, key: ApiKey) -> KeyOwner | None:
        now = self.clock.now()
        role = self.role_of(Principal(key.user, Source.HTTP, org=self.org))
        if not key.is_live(now) or (key.role and key.role != role):
            return None
        if key.last_used_at is None or now - key.last_used_at >= USED_EVERY_S:
            await self.db.write(lambda connection: store.used(connection, self.org, key.id, now, USED_EVERY_S))
        return KeyOwner(key.user, key.id)

    def _may_for_all(self, by: Principal) -> bool:
        return by.source is Source.CLI or self.is_admin(by)

    def _require(self, by: Principal, user: str) -> None:
        if by.user != user and not self._may_for_all(by):
            raise PolicyDeniedError(f"{by.user} may not make a key for {user}", hint="ask an admin")

    def _check_role(self, draft: KeyDraft) -> None:
        role = self.role_of(Principal(draft.user, Source.HTTP, org=self.org))
        if draft.role is not None and draft.role != role:
            has = f"has the role {role}" if role else "has no role"
            raise InvalidArgumentsError(
                f"{draft.user} {has}, and a key gives none",
                hint=f"give {draft.user} the role {draft.role} in security.user_roles first",
            )

    async def _record(self, by: Principal, verb: str, key: ApiKey) -> None:
        said = {"key_id": key.id, "for": key.user, "role": key.role, "name": key.name, "expires_at": key.expires_at}
        parameters = {name: value for name, value in said.items() if value not in ("", None)}
        await self.audit.append(change_by(by, self.org, f"keys.{verb}", parameters, kind=Kind.STATE))
