from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.storage.organizations import open_organization
from akili_cli.core.audit.shared_key import load_shared_key
from akili_cli.domain.errors import AuditError


async def test_the_first_key_is_kept_by_its_fingerprint_alone(db: Database, tmp_path: Path) -> None:
    org = await open_organization(db, "Acme", 1.0)
    key = await load_shared_key(db, org, tmp_path / "audit.key")
    assert await load_shared_key(db, org, tmp_path / "audit.key") == key
    ((kept),) = await db.read(lambda c: c.execute("SELECT audit_key FROM organizations"))
    assert len(str(kept["audit_key"])) == 64
    assert key.hex() not in str(kept)


async def test_another_key_is_refused_with_what_to_copy(db: Database, tmp_path: Path) -> None:
    org = await open_organization(db, "Acme", 1.0)
    await load_shared_key(db, org, tmp_path / "audit.key")
    with pytest.raises(AuditError, match="another key") as refused:
        await load_shared_key(db, org, tmp_path / "other.key")
    assert "copy audit.key" in refused.value.hint
    other = await open_organization(db, "Other", 1.0)
    assert await load_shared_key(db, other, tmp_path / "other.key")


async def test_two_who_come_first_at_once_agree_on_one_key(db: Database, tmp_path: Path) -> None:
    org = await open_organization(db, "Acme", 1.0)
    paths = [tmp_path / f"{number}.key" for number in range(4)]
    ended = await asyncio.gather(*(load_shared_key(db, org, path) for path in paths), return_exceptions=True)
    assert sorted(type(one) is bytes for one in ended) == [False, False, False, True]
