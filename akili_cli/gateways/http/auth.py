"""Who is calling: a bearer token becomes a principal, or nothing does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from starlette.requests import Request

from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import UnauthorizedError
from akili_cli.features.keys.service import KeyService
from akili_cli.gateways.http.limits import Buckets, failure_brake, peer_name
from akili_cli.gateways.http.static_keys import StaticKeys

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([!-~]{1,512})")
_HINT = "send `Authorization: Bearer <key>`; a key is made with `akili keys create`"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and by which key (an id, never the key)."""

    principal: Principal
    key_id: str


def caller(request: Request) -> Caller:
    """Give who sent a request; a dependency of routes under ``/v1``, where nobody gets without a key."""
    found = request.scope.get("state", {}).get("caller")
    if not isinstance(found, Caller):
        raise UnauthorizedError("an API key is needed", hint=_HINT)
    return found


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Tells callers by their keys: those of the configuration first, then those that are kept.

    A peer with too many wrong keys is slowed down. That spares whoever this process has let in before, so that
    behind a proxy, where all have one address, nobody can lock others out.
    """

    static: StaticKeys
    keys: KeyService
    clock: Clock
    org: str
    brake: Buckets = field(init=False)

    def __post_init__(self) -> None:
        """Begin with a brake that nobody has used."""
        object.__setattr__(self, "brake", failure_brake(self.clock))

    async def authenticate(self, authorization: str | None, peer: str) -> Caller:
        """Give who an ``Authorization`` header speaks for.

        Raises ``UnauthorizedError``, the same for every reason, and ``RateLimitedError`` for a peer that guesses.
        """
        bearer = _BEARER.fullmatch(authorization or "")
        if bearer is None:
            raise UnauthorizedError("an API key is needed", hint=_HINT)
        token = bearer[1]
        static = self.static.found(token)
        if static is not None:
            return self._caller(static.user, static.id)
        known = await self.keys.verify(token, known_only=True)
        if known is not None:
            return self._caller(known.user, known.key_id)
        name = peer_name(peer)
        self.brake.take(name)
        owner = await self.keys.verify(token)
        if owner is None:
            raise UnauthorizedError("this API key is not valid", hint=_HINT)
        self.brake.give_back(name)
        return self._caller(owner.user, owner.key_id)

    def _caller(self, user: str, key_id: str) -> Caller:
        return Caller(Principal(user, Source.HTTP, org=self.org), key_id)
