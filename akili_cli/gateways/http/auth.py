"""Who is calling: a bearer token becomes a principal, or nothing does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import UnauthorizedError
from akili_cli.features.keys.service import KeyService
from akili_cli.gateways.http.limits import failure_brake, peer_name
from akili_cli.gateways.http.static_keys import StaticKeys

KEYLESS = re.compile(r"/v1/webhooks/[^/]+")
"""The only paths under ``/v1`` that no key opens: what is delivered there proves by itself where it is from."""

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([!-~]{1,512})")
_HINT = "send a key as a bearer token; `akili keys create` makes one"


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


class Authenticator:
    """Tells callers by their keys: those of the configuration first, then those that are kept.

    A peer with too many wrong keys is slowed down. That spares whoever this process has let in before, so that
    behind a proxy, where all have one address, nobody can lock others out.
    """

    def __init__(self, static: StaticKeys, keys: KeyService, clock: Clock, org: str) -> None:
        """Keep the collaborators; callers act in ``org``."""
        self._static = static
        self._keys = keys
        self._org = org
        self._brake = failure_brake(clock)

    async def authenticate(self, authorization: str | None, peer: str) -> Caller:
        """Give who an ``Authorization`` header speaks for.

        Raises ``UnauthorizedError``, the same for every reason, and ``RateLimitedError`` for a peer that guesses.
        """
        bearer = _BEARER.fullmatch(authorization or "")
        if bearer is None:
            raise UnauthorizedError("an API key is needed", hint=_HINT)
        token = bearer[1]
        static = self._static.found(token)
        if static is not None:
            return self._caller(static.user, static.id)
        known = await self._keys.verify(token, known_only=True)
        if known is not None:
            return self._caller(known.user, known.key_id)
        name = peer_name(peer)
        self._brake.take(name)
        owner = await self._keys.verify(token)
        if owner is None:
            raise UnauthorizedError("this API key is not valid", hint=_HINT)
        self._brake.give_back(name)
        return self._caller(owner.user, owner.key_id)

    def _caller(self, user: str, key_id: str) -> Caller:
        return Caller(Principal(user, Source.HTTP, org=self._org), key_id)
