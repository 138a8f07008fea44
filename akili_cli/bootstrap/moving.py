"""Moves the state to another database: finds out where to, copies while nobody writes, proves that it arrived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from akili_cli.adapters.secrets.taint import parts_of
from akili_cli.adapters.storage.backends.sqlite import missing_in_sqlite, open_sqlite
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.storage.copy import CopiedTable, Progress, compare, copy
from akili_cli.adapters.storage.organizations import DEFAULT_ORGANIZATION
from akili_cli.adapters.storage.schema import table_names
from akili_cli.bootstrap.app import State
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import STREAM_ID, load_or_create_key
from akili_cli.core.audit.linefile import file_of, is_locked
from akili_cli.core.audit.verify import VerifyReport, verify
from akili_cli.domain.errors import ConflictError, UsageError

NODE_ALIVE_S = 60.0
CONNECTIONS = 4
_POSTGRES = ("postgres://", "postgresql://")
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to: ``shown`` names it without a secret, ``lines`` are the settings that make akili use it."""

    driver: str
    shown: str
    lines: tuple[str, ...]
    missing: Callable[[], Awaitable[tuple[str, ...]]]
    open: Callable[[], Awaitable[Database]]


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it; ``missing`` are schema steps the target has not (after a dry run), ``audit`` None then."""

    target: Target
    tables: tuple[CopiedTable, ...]
    missing: tuple[str, ...]
    audit: VerifyReport | None


def parse_target(state: State, text: str) -> Target:
    """Understand ``postgresql://...``, ``sqlite:///PATH`` or a reference (``env://NAME``) to either.

    Raises ``UsageError`` for anything else, and what resolving a reference raises.
    """
    direct = text.startswith((*_POSTGRES, _SQLITE))
    if not direct and "://" not in text:
        raise UsageError(
            "--to takes postgresql://USER@HOST/DATABASE, sqlite:///PATH or a reference",
            hint="keep a password out of the command line: --to env://NAME",
        )
    where = text if direct else state.secrets.resolve(text)
    if where.startswith(_SQLITE):
        return _sqlite_target(state, Path(where.removeprefix(_SQLITE)))
    if where.startswith(_POSTGRES):
        for part in parts_of(where):
            state.redactor.register(part, "database dsn")
        return _postgres_target(where, "env://AKILI_DB_DSN" if direct else text)
    raise UsageError(f"what {text} gives is no postgresql:// or sqlite:/// URL")


def _sqlite_target(state: State, given: Path) -> Target:
    path = state.start.cwd / given
    quoted = str(path).replace("'", "''")
    return Target(
        "sqlite",
        str(path),
        ("storage:", "  driver: sqlite", "  sqlite:", f"    path: '{quoted}'"),
        partial(missing_in_sqlite, path),
        partial(open_sqlite, path),
    )


def _postgres_target(dsn: str, reference: str) -> Target:
    from akili_cli.adapters.storage.backends.postgres import missing_in_postgres, open_postgres, shown_dsn

    return Target(
        "postgres",
        shown_dsn(dsn),
        (
            "storage:",
            "  driver: postgres",
            "  postgres:",
            f"    dsn: {reference}",
            f"    default_org_name: {DEFAULT_ORGANIZATION}",
        ),
        partial(missing_in_postgres, dsn),
        partial(open_postgres, dsn, max_open=CONNECTIONS, max_idle=CONNECTIONS, lifetime_s=600),
    )


async def move(state: State, target: Target, *, dry_run: bool, progress: Progress) -> Moved:
    """Copy everything into the target and verify the audit there; the current database is only read.

    Raises ``ConflictError`` when another akili writes, when the target is the current database, and when it holds
    other rows under the same keys; ``StorageError`` when the target cannot be used or is newer than this akili.
    """
    if not dry_run:
        await _refuse_writers(state)
    if target.driver == "sqlite":
        await _refuse_other_organizations(state.db)
    missing = await target.missing()
    if dry_run and missing:
        counted = await state.db.read(_counts)
        return Moved(target, counted, missing, None)
    db = await target.open()
    try:
        if await _place(db) == await _place(state.db):
            raise ConflictError(f"{target.shown} is the database in use already", hint="name another one")
        if dry_run:
            return Moved(target, tuple(await compare(state.db, db, progress)), (), None)
        tables = tuple(await copy(state.db, db, progress))
        key = load_or_create_key(state.workspace.audit_key)
        return Moved(target, tables, (), await verify(db, state.workspace.audit_dir, key, org=state.org))
    finally:
        await db.close()


def _counts(connection: Connection) -> tuple[CopiedTable, ...]:
    return tuple(
        CopiedTable(name, rows=int(str(connection.execute(f"SELECT count(*) AS n FROM {name}")[0]["n"])))  # noqa: S608 - our names
        for name in table_names()
    )


async def _refuse_writers(state: State) -> None:
    """Refuse while an akili that would go on writing to the old database runs here, or a node anywhere."""
    heads = await state.db.read(store.open_heads)
    directory = state.workspace.audit_dir
    for head in heads:
        stream = str(head["stream"])
        if STREAM_ID.fullmatch(stream) and is_locked(file_of(directory, stream)):
            raise ConflictError(f"another akili is running (pid {head['pid']})", hint="end it first; nothing was done")
    since = state.clock.now() - NODE_ALIVE_S
    sql = "SELECT id, host FROM nodes WHERE stopped_at IS NULL AND seen_at > :since ORDER BY seen_at DESC LIMIT 1"
    for node in await state.db.read(lambda connection: connection.execute(sql, {"since": since})):
        raise ConflictError(
            f"the node {node['id']} on {node['host']} is running", hint="stop every gateway first; nothing was done"
        )


async def _refuse_other_organizations(db: Database) -> None:
    sql = "SELECT name FROM organizations WHERE id <> :own ORDER BY id LIMIT 1"
    others = await db.read(lambda connection: connection.execute(sql, {"own": DEFAULT_ORGANIZATION}))
    if others:
        raise ConflictError(
            f"the database holds the organisation {others[0]['name']!r}, and SQLite only the one named default",
            hint="copy into PostgreSQL",
        )


async def _place(db: Database) -> object:
    """Give what no two databases have in common."""
    sql = (
        "SELECT file AS place FROM pragma_database_list WHERE name = 'main'"
        if db.dialect == "sqlite"
        else "SELECT concat(pg_postmaster_start_time(), ' ', current_database(), ' ', current_schema()) AS place"
    )
    return (await db.read(lambda connection: connection.execute(sql)))[0]["place"]
