from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.approvals import store
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.domain.calls import Source
from akili_cli.domain.errors import ConflictError

ONE = Approval(
    id="ab" * 16,
    org="default",
    user="ann",
    source=Source.HTTP,
    run_id="r",
    correlation_id="c",
    call_id="k",
    tool="look",
    arguments={"path": "/x"},
    digest="d",
    risk="high",
    effects={"reads": ["/x"], "reversible": True},
    rule_id="rule",
    rule_origin="a.yaml:1",
    because="b",
    reason="",
    cwd="/",
    host="h",
    created_at=100.0,
    expires_at=200.0,
)


async def test_add_get_and_find_give_the_same_value(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    await db.write(lambda c: store.add(c, ONE))
    assert await db.read(lambda c: store.get(c, "default", ONE.id)) == ONE
    assert await db.read(lambda c: store.find(c, "default", "abab")) == [ONE]
    assert await db.read(lambda c: store.get(c, "other", ONE.id)) is None
    assert await db.read(lambda c: store.find(c, "other", "abab")) == []
    assert await db.read(lambda c: store.get(c, "default", "abab")) is None
    with pytest.raises(ConflictError):
        await db.write(lambda c: store.add(c, ONE))
    await db.close()


async def test_each_change_is_made_by_one_caller_only(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    await db.write(lambda c: store.add(c, ONE))
    yes = replace(ONE, status=ApprovalStatus.APPROVED, resolved_at=150.0, resolved_by="ben", use_expires_at=300.0)
    assert await db.write(lambda c: store.resolve(c, yes))
    assert not await db.write(lambda c: store.resolve(c, replace(yes, status=ApprovalStatus.DENIED)))
    assert not await db.write(lambda c: store.consume(c, "other", ONE.id, 160.0))
    assert not await db.write(lambda c: store.consume(c, "default", ONE.id, 300.0))
    assert await db.write(lambda c: store.consume(c, "default", ONE.id, 299.0))
    assert not await db.write(lambda c: store.consume(c, "default", ONE.id, 299.0))
    await db.close()


async def test_expire_touches_only_what_is_overdue_in_its_organisation(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    other = replace(ONE, id="cd" * 16, org="other")
    later = replace(ONE, id="ef" * 16, expires_at=201.0)
    for approval in (ONE, other, later):
        await db.write(lambda c, a=approval: store.add(c, a))  # type: ignore[misc]
    assert await db.write(lambda c: store.expire(c, "default", 200.0)) == 1
    states = {a.id[:2]: a.status for a in await db.read(lambda c: store.listing(c, "default", status=None, limit=9))}
    assert states == {"ab": ApprovalStatus.EXPIRED, "ef": ApprovalStatus.PENDING}
    assert await db.read(lambda c: store.listing(c, "other", status="expired", limit=9)) == []
    await db.close()


async def test_a_column_that_a_newer_akili_added_does_no_harm(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    await db.write(lambda c: store.add(c, ONE))
    await db.write(lambda c: c.execute("ALTER TABLE approvals ADD COLUMN from_the_future text"))
    assert await db.read(lambda c: store.get(c, "default", ONE.id)) == ONE
    await db.close()
