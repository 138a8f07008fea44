"""Keys that the configuration or ``AKILI_API_KEYS`` gives to users, kept as digests that only this process can make."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from akili_cli.domain.errors import ConfigError
from akili_cli.gateways.http.weak import is_digest, is_reference, weakness

VARIABLE = "AKILI_API_KEYS"
MAPPING = "gateways.http.api_key_user_mapping"
HOW = "make one with `akili keys create`"


@dataclass(frozen=True, slots=True)
class StaticKey:
    """Whose key it is; ``id`` says where it was given (``config-2``, ``env-1``), ``proof`` is all that is kept."""

    id: str
    user: str
    proof: bytes


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """The keys of one process; ``secret`` is drawn anew by each, so that what is kept opens nothing elsewhere."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    keys: tuple[StaticKey, ...] = ()

    def found(self, token: str) -> StaticKey | None:
        """Find whose key this is; always compares with every key, however early one fits."""
        proof = self.proof_of(hashlib.sha256(token.encode()).digest())
        match: StaticKey | None = None
        for key in self.keys:
            if hmac.compare_digest(key.proof, proof):
                match = key
        return match

    def proof_of(self, digest: bytes) -> bytes:
        """Give what is kept of a key, from its SHA-256."""
        return hmac.digest(self.secret, digest, "sha256")


def open_static_keys(
    mapping: Mapping[str, str],
    env: Mapping[str, str],
    *,
    resolve: Callable[[str], str],
    register: Callable[[str, str], None],
) -> StaticKeys:
    """Give the keys of the mapping and of the environment, which wins where both name one.

    Each key is registered to be hidden. Raises ``ConfigError`` that names the place and never the key.
    """
    opened = StaticKeys()
    configured = _proofs(opened, _configured(mapping, resolve), register, "config", MAPPING)
    given = _proofs(opened, parse_variable(env.get(VARIABLE, "")), register, "env", VARIABLE)
    return StaticKeys(opened.secret, tuple({**configured, **given}.values()))


def parse_variable(text: str) -> tuple[tuple[str, str], ...]:
    """Split ``key:user,key2:user2``; raises ``ConfigError`` that names an entry by its place."""
    out: list[tuple[str, str]] = []
    for place, entry in enumerate(text.split(",") if text.strip() else (), 1):
        key, mark, user = (part.strip() for part in entry.partition(":"))
        if not (mark and key and user) or not user.isprintable():
            raise ConfigError(f"entry {place} of {VARIABLE} is not key:user", hint="write key:user,key2:user2")
        out.append((key, user))
    return tuple(out)


def raw_keys(mapping: Mapping[str, str], env: Mapping[str, str]) -> Iterator[str]:
    """Give each key that is written out, to be hidden before anything else happens; raises nothing."""
    yield from (key for key in mapping if not is_reference(key) and not is_digest(key))
    yield from (key for entry in env.get(VARIABLE, "").split(",") if (key := entry.partition(":")[0].strip()))


def _configured(mapping: Mapping[str, str], resolve: Callable[[str], str]) -> tuple[tuple[str, str], ...]:
    return tuple((resolve(key) if is_reference(key) else key, user) for key, user in mapping.items())


def _proofs(
    opened: StaticKeys,
    entries: tuple[tuple[str, str], ...],
    register: Callable[[str, str], None],
    source: str,
    name: str,
) -> dict[bytes, StaticKey]:
    out: dict[bytes, StaticKey] = {}
    for place, (key, user) in enumerate(entries, 1):
        if is_digest(key):
            digest = bytes.fromhex(key.partition(":")[2])
        else:
            register(key, "api-key")
            what = weakness(key)
            if what:
                raise ConfigError(f"the key of entry {place} of {name} {what}", hint=HOW)
            digest = hashlib.sha256(key.encode()).digest()
        proof = opened.proof_of(digest)
        if proof in out:
            raise ConfigError(f"entry {place} of {name} has the same key as {out[proof].id}", hint="one key, one user")
        out[proof] = StaticKey(f"{source}-{place}", user, proof)
    return out
