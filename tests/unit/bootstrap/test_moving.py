from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import State, open_app, open_state
from akili_cli.bootstrap.moving import Moved, move, parse_target
from akili_cli.domain.errors import AkiliError, ConflictError, StorageError
from tests.unit.bootstrap.test_app import begun

SECRET = "s3cr3t-pa55word"


def quiet(_table: str, _doing: str, _done: int, _rows: int) -> None:
    """Say nothing."""


async def moved(state: State, path: Path, *, dry_run: bool = False) -> Moved:
    return await move(state, parse_target(state, f"sqlite:///{path}"), dry_run=dry_run, progress=quiet)


async def test_everything_arrives_and_the_audit_verifies_there(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state, open_app(state):
        pass
    async with open_state(begun(tmp_path)) as state:
        done = await moved(state, tmp_path / "copy.db")
        again = await moved(state, tmp_path / "copy.db")
    assert done.audit is not None
    assert (done.audit.ok, done.audit.streams) == (True, 1)
    assert sum(table.copied for table in done.tables) == sum(table.rows for table in done.tables) > 1
    assert sum(table.copied for table in again.tables) == 0


async def test_a_dry_run_makes_no_file_and_says_what_is_missing(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state:
        done = await moved(state, tmp_path / "copy.db", dry_run=True)
        assert not (tmp_path / "copy.db").exists()
        assert done.missing
        assert done.audit is None
        await moved(state, tmp_path / "copy.db")
        compared = await moved(state, tmp_path / "copy.db", dry_run=True)
    assert compared.missing == ()
    assert sum(table.present for table in compared.tables) == sum(table.rows for table in compared.tables)


async def test_nothing_is_copied_while_another_akili_writes(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state, open_app(state):
        with pytest.raises(ConflictError, match="another akili is running") as caught:
            await moved(state, tmp_path / "copy.db")
        assert caught.value.hint
        assert not (tmp_path / "copy.db").exists()


async def test_nothing_is_copied_while_a_node_is_alive(tmp_path: Path) -> None:
    node = "INSERT INTO nodes (id, host, pid, version, started_at, seen_at) VALUES ('n1', 'far', 1, '', 0, :now)"
    async with open_state(begun(tmp_path)) as state:
        await state.db.write(lambda c: c.execute(node, {"now": state.clock.now()}))
        with pytest.raises(ConflictError, match="node n1 on far"):
            await moved(state, tmp_path / "copy.db")
        await state.db.write(lambda c: c.execute("UPDATE nodes SET seen_at = seen_at - 61"))
        await moved(state, tmp_path / "copy.db")


async def test_the_database_in_use_is_no_target(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state:
        with pytest.raises(ConflictError, match="in use already"):
            await moved(state, state.workspace.db)


async def test_a_target_of_a_newer_akili_is_refused(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state:
        await moved(state, tmp_path / "copy.db")
        connection = sqlite3.connect(tmp_path / "copy.db")
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('akili', '9999_x', '')"
        )
        connection.commit()
        connection.close()
        for dry_run in (False, True):
            with pytest.raises(StorageError, match="newer akili"):
                await moved(state, tmp_path / "copy.db", dry_run=dry_run)


async def test_sqlite_takes_no_other_organisation(tmp_path: Path) -> None:
    add = "INSERT INTO organizations (id, name, slug, created_at) VALUES ('acme', 'Acme', 'acme', 0)"
    async with open_state(begun(tmp_path)) as state:
        await state.db.write(lambda c: c.execute(add))
        with pytest.raises(ConflictError, match="'Acme'"):
            await moved(state, tmp_path / "copy.db")


@pytest.mark.parametrize(
    "to", ["", "nonsense", "/tmp/x.db", "http://h/x", "env://AKILI_NOT_SET_ANYWHERE", "postgresql:/x"]
)
async def test_what_is_no_target_is_refused(tmp_path: Path, to: str) -> None:
    async with open_state(begun(tmp_path)) as state:
        with pytest.raises(AkiliError):
            parse_target(state, to)


async def test_a_reference_is_resolved_and_a_password_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET", f"postgresql://ann:{SECRET}@127.0.0.1:1/x")
    async with open_state(begun(tmp_path)) as state:
        for to in ("env://TARGET", f"postgresql://ann:{SECRET}@127.0.0.1:1/x"):
            target = parse_target(state, to)
            assert (target.driver, target.shown) == ("postgres", "x at 127.0.0.1:1")
            assert SECRET not in "".join(target.lines)
            with pytest.raises(StorageError) as caught:
                await move(state, target, dry_run=False, progress=quiet)
            assert SECRET not in str(caught.value) + caught.value.hint
            assert SECRET not in state.redactor.text(f"x {SECRET} y")
        assert "    dsn: env://TARGET" in parse_target(state, "env://TARGET").lines
        monkeypatch.setenv("OTHER", "mysql://x/y")
        with pytest.raises(AkiliError):
            parse_target(state, "env://OTHER")
