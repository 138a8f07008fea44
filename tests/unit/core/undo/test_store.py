from __future__ import annotations

from dataclasses import replace

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.core.undo import store
from akili_cli.core.undo.model import UndoEntry

WHO: dict[str, object] = {"org": "o", "user": "u", "host": "h"}
ENTRY = UndoEntry(
    id="aa11",
    org="o",
    user="u",
    host="h",
    tool="file_write",
    run_id="r",
    call_id="c",
    audit_id="s-1",
    path="/x",
    at=1.0,
    before="d1",
    mode=0o644,
    uid=1,
    gid=2,
    stored_bytes=10,
)
OTHERS = (
    replace(ENTRY, id="aa22", at=2.0, before="d2", audit_id="s-2"),
    replace(ENTRY, id="bb33", at=3.0, before="d1", audit_id="s-3"),
    replace(ENTRY, id="bb44", at=4.0, before=None, stored_bytes=0, user="other"),
)


async def test_entries_come_back_whole_newest_first_and_only_to_their_user(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.add(c, (ENTRY, *OTHERS)))
    assert await db.read(lambda c: store.listing(c, WHO, 9)) == [OTHERS[1], OTHERS[0], ENTRY]
    assert await db.read(lambda c: store.find(c, WHO, "aa11")) == [ENTRY]
    assert await db.read(lambda c: store.find(c, WHO, "s-2")) == [OTHERS[0]]
    assert len(await db.read(lambda c: store.find(c, WHO, "aa"))) == 2
    assert await db.read(lambda c: store.find(c, WHO, "bb44")) == []
    assert await db.read(lambda c: store.find(c, {**WHO, "host": "elsewhere"}, "aa11")) == []


async def test_undoing_an_undo_makes_the_first_one_stand_again(db: SqliteDatabase) -> None:
    undo = replace(ENTRY, id="u1", at=5.0, undo_of="aa11")
    redo = replace(ENTRY, id="u2", at=6.0, undo_of="u1")
    await db.write(lambda c: store.add(c, (ENTRY, undo, redo)))

    def undone(connection: store.Connection) -> dict[str, bool]:
        return {e.id: e.undone_at is not None for e in store.listing(connection, WHO, 9)}

    await db.write(lambda c: store.finish(c, "aa11", "new", 1.5))
    await db.write(lambda c: store.finish(c, "u1", "d1", 5.5))
    assert await db.read(undone) == {"aa11": True, "u1": False, "u2": False}
    assert await db.read(lambda c: store.newest(c, WHO)) is None
    await db.write(lambda c: store.finish(c, "u2", "new", 6.5))
    assert await db.read(undone) == {"aa11": False, "u1": True, "u2": False}
    newest = await db.read(lambda c: store.newest(c, WHO))
    assert newest is not None
    assert (newest.id, newest.after, newest.finished_at) == ("aa11", "new", 1.5)


async def test_the_images_unused_longest_make_room(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.add(c, (ENTRY, *OTHERS)))
    assert await db.write(lambda c: store.make_room(c, "o", "h", 20, ())) == []
    assert await db.write(lambda c: store.make_room(c, "another", "h", 0, ())) == []
    assert await db.write(lambda c: store.make_room(c, "o", "h", 19, ())) == ["d2"]  # d1 was used again at 3.0
    assert await db.write(lambda c: store.make_room(c, "o", "h", 0, ("d1",))) == []
    states = {e.id: e.why_not for e in await db.read(lambda c: store.listing(c, WHO, 9))}
    assert states["aa22"] is not None
    assert states["aa11"] is states["bb33"] is None
