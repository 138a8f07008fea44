"""Organisations: whose rows are whose in a shared database. A process works for one."""

from __future__ import annotations

from akili_cli.adapters.storage.base import Connection, Database

DEFAULT_ORGANIZATION = "default"


def slug_of(name: str) -> str:
    """Give the short form by which rows name an organisation: lower case, spaces to dashes."""
    return "-".join(name.lower().split())


async def open_organization(db: Database, name: str, now: float) -> str:
    """Give the id of the organisation of that name, made on first use.

    The id is the slug, so that rows and audit records can be read by people; names with one slug are one organisation.
    """
    slug = slug_of(name)
    if not await db.read(lambda connection: _known(connection, slug)):
        await db.write(lambda connection: _add(connection, slug, name, now))
    return slug


def _known(connection: Connection, slug: str) -> bool:
    return bool(connection.execute("SELECT 1 AS found FROM organizations WHERE slug = :slug", {"slug": slug}))


def _add(connection: Connection, slug: str, name: str, now: float) -> None:
    connection.execute(
        "INSERT INTO organizations (id, name, slug, created_at) VALUES (:slug, :name, :slug, :now)"
        " ON CONFLICT DO NOTHING",
        {"slug": slug, "name": name, "now": now},
    )
