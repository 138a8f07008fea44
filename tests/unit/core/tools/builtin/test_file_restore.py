from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.tools.builtin.file_restore import FileRestore, FileRestoreArgs
from akili_cli.core.tools.builtin.file_write import FileWrite, FileWriteArgs
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.core.undo.journal import Journal
from akili_cli.core.undo.model import UndoEntry
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from tests.fakes.clock import FakeClock
from tests.fakes.permits import permit_for


class Desk:
    """A directory with a writer, a restorer and the journal between them."""

    def __init__(self, root: Path, journal: Journal) -> None:
        settings = FileToolSettings(allowed_paths=(str(root),))
        self.root = root
        self.clock = FakeClock()
        self.journal = journal
        self.writer = FileWrite(settings, journal, home=str(root), cwd=str(root))
        self.restorer = FileRestore(settings, journal, home=str(root), cwd=str(root))

    async def write(self, name: str, content: str) -> UndoEntry:
        args = FileWriteArgs(path=name, content=content)
        effects = self.writer.effects(args)
        assert effects.reversible
        assert (await self.writer.run(args, permit_for(effects, tool="file_write"))).ok
        return await self.last(effects.writes[0])

    async def last(self, path: str | None = None) -> UndoEntry:
        entries = [entry for entry in await self.journal.listing("tester") if path in (None, entry.path)]
        return max(entries, key=lambda entry: (entry.at, entry.undo_of is not None, entry.finished_at))

    def args(self, undone: UndoEntry, **other: str | None) -> FileRestoreArgs:
        said = {"entry": undone.id, "path": undone.path, "current": undone.after, "earlier": undone.before}
        return FileRestoreArgs(**{**said, **other})  # type: ignore[arg-type] # texts or None

    async def restore(self, undone: UndoEntry, **other: str | None) -> ToolOutput:
        args = self.args(undone, **other)
        return await self.restorer.run(args, permit_for(self.restorer.effects(args), tool="file_restore"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await open_sqlite(tmp_path / "akili.db")
    (tmp_path / "undo").mkdir()
    (tmp_path / "work").mkdir()
    settings = UndoSettings.model_validate({})
    yield Desk(
        tmp_path / "work",
        Journal(db, tmp_path / "undo", settings, FakeClock(), org="default", host="here"),
    )
    await db.close()


async def test_a_replaced_file_comes_back_with_its_mode(desk: Desk) -> None:
    path = desk.root / "f"
    path.write_text("old")
    path.chmod(0o604)
    entry = await desk.write("f", "new")
    path.chmod(0o600)
    out = await desk.restore(entry)
    assert (out.ok, path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (True, "old", 0o604)
    assert out.text == f"restored {path}: 3 bytes, mode 0604"


async def test_a_created_file_is_deleted_and_the_undo_undone(desk: Desk) -> None:
    entry = await desk.write("f", "new")
    args = desk.args(entry)
    assert desk.restorer.effects(args) == Effects(deletes=(entry.path,), reversible=True)
    assert (await desk.restore(entry)).ok
    assert not (desk.root / "f").exists()
    (undo,) = [e for e in await desk.journal.listing("tester") if e.undo_of == entry.id]
    assert desk.restorer.effects(desk.args(undo)) == Effects(writes=(entry.path,), reversible=True)
    assert (await desk.restore(undo)).ok
    assert (desk.root / "f").read_text() == "new"
    again = await desk.journal.newest("tester")
    assert again is not None
    assert (again.id, again.undone_at) == (entry.id, None)


@pytest.mark.parametrize("change", ["edited", "deleted", "replaced by a directory", "replaced by a link"])
async def test_a_file_changed_since_is_left_alone(change: str, desk: Desk) -> None:
    path = desk.root / "f"
    path.write_text("old")
    entry = await desk.write("f", "new")
    args = desk.args(entry)
    permit = permit_for(desk.restorer.effects(args))
    path.unlink()
    if change == "edited":
        path.write_text("newer")
    elif change == "replaced by a directory":
        path.mkdir()
    elif change == "replaced by a link":
        (desk.root / "g").write_text("new")
        path.symlink_to("g")
    out = await desk.restorer.run(args, permit)
    assert not out.ok
    assert [e.id for e in await desk.journal.listing("tester")] == [entry.id]
    if change == "edited":
        assert "changed since; nothing was done" in out.text
        assert path.read_text() == "newer"
    elif change == "replaced by a link":
        assert (desk.root / "g").read_text() == "new"


async def test_a_call_that_says_something_else_than_the_entry_does_nothing(desk: Desk) -> None:
    entry = await desk.write("f", "new")
    other = await desk.write("g", "other")
    for lie in ({"path": other.path}, {"current": "0" * 64}, {"current": None}, {"earlier": other.after}):
        out = await desk.restore(entry, **lie)
        assert not out.ok
        assert "says something else" in out.text
    assert (desk.root / "f").read_text() == "new"
    assert (desk.root / "g").read_text() == "other"


async def test_an_entry_is_undone_once(desk: Desk) -> None:
    (desk.root / "f").write_text("old")
    entry = await desk.write("f", "new")
    assert (await desk.restore(entry)).ok
    out = await desk.restore(entry)
    assert (out.ok, "already" in out.text) == (False, True)


async def test_an_unknown_entry_is_a_failure_and_a_foreign_permit_a_refusal(desk: Desk) -> None:
    entry = await desk.write("f", "new")
    assert not (await desk.restore(entry, entry="0123456789abcdef")).ok
    for effects in (Effects(), Effects(reads=(entry.path,)), Effects(writes=(entry.path, "/x"))):
        with pytest.raises(RefusedError):
            await desk.restorer.run(desk.args(entry), permit_for(effects))


def test_a_path_that_leads_elsewhere_is_invalid(desk: Desk) -> None:
    (desk.root / "link").symlink_to("/etc")
    for path in ("f", f"{desk.root}/../x", f"{desk.root}/link/passwd", "~/x"):
        with pytest.raises(InvalidArgumentsError):
            desk.restorer.effects(FileRestoreArgs(entry="abcd", path=path, current=None, earlier=None))
