"""What an API key is, how its token is written, and what is kept of it."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from akili_cli.domain.clock import iso

MAX_LIFE_S = 10 * 366 * 86_400.0
_TOKEN = re.compile(r"akili_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
_SALT_BYTES, _SECRET_BYTES, _ID_BYTES = 16, 32, 4
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class KeyDraft(BaseModel):
    """A new key as it is asked for; ``role`` gives nothing, it ends the key once the user has another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user: Name
    role: Name | None = None
    name: Text = ""
    expires_in_s: float | None = Field(None, gt=0, le=MAX_LIFE_S, strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key: everything but the key. Times are epoch seconds; an empty ``role`` binds to none."""

    id: str
    org: str
    user: str
    role: str
    name: str
    salt: str
    hash: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None

    def is_live(self, now: float) -> bool:
        """Tell whether it is neither revoked nor over."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def as_dict(self, now: float) -> dict[str, object]:
        """Give the JSON-ready form, without salt and hash; what is not set is left out."""
        status = "revoked" if self.revoked_at is not None else "active" if self.is_live(now) else "expired"
        times = {name: getattr(self, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
        said: dict[str, object] = {"id": self.id, "user_id": self.user, "role": self.role, "name": self.name}
        said |= {"status": status, **{name: iso(at) for name, at in times.items() if at is not None}}
        return {name: value for name, value in said.items() if value != ""}


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whom a key speaks for."""

    user: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Token:
    """A key as its holder has it: ``akili_<id>_<secret>``."""

    id: str
    secret: str

    def __str__(self) -> str:
        """Give the text that is sent."""
        return f"akili_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Token(id={self.id!r})"


def new_token() -> Token:
    """Draw a token: 256 bits that nobody can guess."""
    return Token(secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES))


def parse_token(text: str) -> Token | None:
    """Read a token; nothing for any other text."""
    found = _TOKEN.fullmatch(text)
    return Token(found[1], found[2]) if found else None


def new_salt() -> str:
    """Draw a salt, as hex."""
    return secrets.token_hex(_SALT_BYTES)


def hash_of(secret: str, salt: str) -> str:
    """Give the scrypt hash of a secret, as hex; takes some 50 ms and 16 MiB."""
    raw = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    return raw.hex()
