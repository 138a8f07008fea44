from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.gateways.http import idempotency_store as store

SLOT = store.Slot(org="default", user="ann", route="POST /v1/cronjobs", key="k1")


async def test_a_key_is_kept_once_per_user_and_route(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    assert await db.write(lambda c: store.claim(c, SLOT, "asked", 1.0))
    assert not await db.write(lambda c: store.claim(c, SLOT, "other", 2.0))
    for other in (
        replace(SLOT, org="o2"),
        replace(SLOT, user="ben"),
        replace(SLOT, route="POST /v1/alerts"),
        replace(SLOT, key="k2"),
    ):
        assert await db.write(lambda c, other=other: store.claim(c, other, "asked", 1.0))
    kept = await db.read(lambda c: store.get(c, SLOT))
    assert kept == store.Kept(asked="asked", created_at=1.0, broken=False, status=None, headers={}, body="")
    await db.close()


async def test_an_answer_is_given_back_as_it_was_and_a_key_can_be_broken_free_or_too_old(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    await db.write(lambda c: store.claim(c, SLOT, "asked", 1.0))
    await db.write(lambda c: store.answer(c, SLOT, 201, {"etag": '"x"'}, "{}"))
    kept = await db.read(lambda c: store.get(c, SLOT))
    assert kept is not None
    assert (kept.status, kept.headers, kept.body, kept.broken) == (201, {"etag": '"x"'}, "{}", False)
    await db.write(lambda c: store.give_up(c, SLOT))
    kept = await db.read(lambda c: store.get(c, SLOT))
    assert kept is not None
    assert kept.broken
    await db.write(lambda c: store.forget(c, "default", 1.0))
    assert await db.read(lambda c: store.get(c, SLOT)) is not None
    await db.write(lambda c: store.forget(c, "default", 1.5))
    assert await db.read(lambda c: store.get(c, SLOT)) is None
    await db.write(lambda c: store.claim(c, SLOT, "asked", 1.0))
    await db.write(lambda c: store.release(c, SLOT))
    assert await db.read(lambda c: store.get(c, SLOT)) is None
    await db.close()
