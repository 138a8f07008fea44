from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.core.undo.journal import Journal
from akili_cli.core.undo.model import UndoState
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, NotFoundError, RefusedError, ToolFailedError
from tests.fakes.clock import FakeClock
from tests.fakes.permits import permit_for


def journal(db: SqliteDatabase, tmp_path: Path, clock: FakeClock | None = None, **settings: object) -> Journal:
    (tmp_path / "undo").mkdir(exist_ok=True)
    made = UndoSettings.model_validate(settings)
    return Journal(db, tmp_path / "undo", made, clock or FakeClock(), org="default", host="here")


def leave(*paths: Path, reversible: bool = True) -> Effects:
    return Effects(writes=tuple(map(str, paths)), reversible=reversible)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_what_was_there_is_kept_before_and_noted_after(db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o604)
    kept = journal(db, tmp_path)
    async with kept.before(permit_for(leave(path), tool="file_write"), (str(path),)):
        (entry,) = await kept.listing("tester")
        assert entry.state is UndoState.UNFINISHED
        assert (await db.read(lambda c: c.execute("SELECT before_digest FROM undo_entries")))[0] == {
            "before_digest": sha("old")
        }
        path.write_text("new")
    (entry,) = await kept.listing("tester")
    assert (entry.state, entry.before, entry.after, entry.mode) == (UndoState.READY, sha("old"), sha("new"), 0o604)
    image = await kept.load(entry.id[:6], "tester")
    assert (image.data, image.mode, image.after) == (b"old", 0o604, sha("new"))


async def test_several_paths_created_deleted_and_untouched(db: SqliteDatabase, tmp_path: Path) -> None:
    new, gone, same = (tmp_path / name for name in ("new", "gone", "same"))
    gone.write_text("g")
    same.write_text("s")
    kept = journal(db, tmp_path)
    async with kept.before(permit_for(leave(new, gone, same)), (str(new), str(gone), str(same))):
        new.write_text("n")
        gone.unlink()
    found = {Path(e.path).name: (e.before, e.after) for e in await kept.listing("tester")}
    assert found == {"new": (None, sha("n")), "gone": (sha("g"), None)}


async def test_an_effect_that_failed_leaves_no_entry_unless_it_changed_something(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    kept = journal(db, tmp_path)

    async def fail_halfway(change: bool) -> None:
        async with kept.before(permit_for(leave(path)), (str(path),)):
            if change:
                path.write_text("half")
            raise ToolFailedError("half way")

    for change in (False, True):
        with pytest.raises(ToolFailedError, match="half"):
            await fail_halfway(change)
        assert len(await kept.listing("tester")) == change


async def test_an_effect_that_never_ended_stays_unfinished_and_is_explained(db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    kept = journal(db, tmp_path)
    with pytest.raises(asyncio.CancelledError):
        async with kept.before(permit_for(leave(path)), (str(path),)):
            raise asyncio.CancelledError
    (entry,) = await kept.listing("tester")
    with pytest.raises(ConflictError, match="nothing to undo"):
        await kept.load(entry.id, "tester")
    path.write_text("new")
    with pytest.raises(ConflictError, match=f"somebody else's.*{sha('old')}"):
        await kept.load(entry.id, "tester")
    assert path.read_text() == "new"


async def test_what_a_block_says_it_wrote_counts_not_what_came_after(db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "f"
    kept = journal(db, tmp_path)
    async with kept.before(permit_for(leave(path)), (str(path),)) as images:
        images.wrote(str(path), b"mine")
        path.write_text("theirs, a moment later")
    assert (await kept.listing("tester"))[0].after == sha("mine")


@pytest.mark.parametrize(
    "effects",
    [Effects(), Effects(reads=("/",)), Effects(writes=("/srv/x",))],
    ids=["nothing", "reads", "elsewhere"],
)
async def test_a_path_outside_the_permit_is_never_read(effects: Effects, db: SqliteDatabase, tmp_path: Path) -> None:
    kept = journal(db, tmp_path)
    with pytest.raises(RefusedError):
        async with kept.before(permit_for(effects), (str(tmp_path / "f"),)):
            pytest.fail("the block ran")
    protected = permit_for(leave(tmp_path), protected=(str(tmp_path),))
    with pytest.raises(RefusedError):
        async with kept.before(protected, (str(tmp_path / "f"),)):
            pytest.fail("the block ran")
    assert await kept.listing("tester") == []


async def test_a_call_declared_reversible_does_not_run_when_it_is_not(db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x" * 11)
    kept = journal(db, tmp_path, max_file_bytes=10)
    assert not kept.reversible(str(path))
    with pytest.raises(ToolFailedError, match="nothing was done"):
        async with kept.before(permit_for(leave(path)), (str(path),)):
            pytest.fail("the block ran")
    async with kept.before(permit_for(leave(path, reversible=False)), (str(path),)):
        path.write_text("new")
    (entry,) = await kept.listing("tester")
    assert entry.state is UndoState.NOT_KEPT
    with pytest.raises(ConflictError, match="max_file_bytes"):
        await kept.load(entry.id, "tester")


async def test_old_images_make_room_for_new_ones(db: SqliteDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    kept = journal(db, tmp_path, clock, max_file_bytes=1000, max_total_bytes=2500)
    for number in range(4):
        path = tmp_path / f"f{number}"
        path.write_bytes(os.urandom(900))
        async with kept.before(permit_for(leave(path)), (str(path),)):
            path.write_text("new")
        clock.move(1)
    states = {Path(e.path).name: e.state for e in await kept.listing("tester")}
    assert states == {"f0": "not kept", "f1": "not kept", "f2": "ready", "f3": "ready"}
    assert sum(p.stat().st_size for p in (tmp_path / "undo").rglob("*") if p.is_file()) <= 2500


async def test_switched_off_nothing_is_kept(db: SqliteDatabase, tmp_path: Path) -> None:
    kept = journal(db, tmp_path, enabled=False)
    assert not kept.reversible(str(tmp_path / "f"))
    async with kept.before(permit_for(leave(tmp_path)), (str(tmp_path / "f"),)):
        (tmp_path / "f").write_text("x")
    assert await kept.listing("tester") == []
    assert list((tmp_path / "undo").iterdir()) == []


async def test_entries_belong_to_their_user(db: SqliteDatabase, tmp_path: Path) -> None:
    kept = journal(db, tmp_path)
    async with kept.before(permit_for(leave(tmp_path)), (str(tmp_path / "f"),)):
        (tmp_path / "f").write_text("x")
    (entry,) = await kept.listing("tester")
    assert await kept.newest("tester") == entry
    assert await kept.newest("other") is None
    for typed in (entry.id, entry.id[:4]):
        with pytest.raises(NotFoundError):
            await kept.load(typed, "other")
    for typed in ("", "abc", "%", "____", entry.id + "0"):
        with pytest.raises(NotFoundError):
            await kept.find(typed, "tester")


@pytest.mark.parametrize("kind", ["absent", "plain", "set-id", "hard link", "attribute", "pipe", "directory", "link"])
async def test_reversible_means_that_nothing_would_be_lost(kind: str, db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "f"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("elsewhere")
    elif kind != "absent":
        path.write_text("x")
    if kind == "set-id":
        path.chmod(0o4755)
    elif kind == "hard link":
        (tmp_path / "g").hardlink_to(path)
    elif kind == "attribute":
        try:
            os.setxattr(path, "user.note", b"x")
        except OSError:
            pytest.skip("this file system has no extended attributes")
    assert journal(db, tmp_path).reversible(str(path)) is (kind in ("absent", "plain"))
