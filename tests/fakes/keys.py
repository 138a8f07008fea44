"""A keys room on a real database, with roles a test can change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.features.keys.model import KeyDraft
from akili_cli.features.keys.service import KeyService
from tests.fakes.clock import FakeClock


@dataclass
class KeysRoom:
    db: Database
    clock: FakeClock
    service: KeyService
    redactor: Redactor
    roles: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def keys_room(db: Database, directory: Path, clock: FakeClock | None = None) -> AsyncIterator[KeysRoom]:
    clock, redactor = clock or FakeClock(), Redactor()
    roles = {"ann": "operator", "ben": "viewer", "ada": "admin"}
    audit = await open_audit_log(db, directory / "audit", b"k" * 32, clock, redactor, "default")
    service = KeyService(
        db=db,
        org="default",
        clock=clock,
        audit=audit,
        role_of=lambda who: roles.get(who.user),
        is_admin=lambda who: roles.get(who.user) == "admin",
        register=redactor.register,
    )
    yield KeysRoom(db, clock, service, redactor, roles)
    await audit.close()


def draft(user: str = "ann", **more: object) -> KeyDraft:
    return KeyDraft.model_validate({"user": user, **more})
