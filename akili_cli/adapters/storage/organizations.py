"""Organisations: whose rows are whose in a shared database. A process works for one."""

from __future__ import annotations

from collections.abc import Collection

from akili_cli.adapters.storage.base import Connection, Database

DEFAULT_ORGANIZATION = "default"
_THROUGH = {
    "organizations": "id = :org",
    "conversation_messages": "conversation_id IN (SELECT id FROM conversations WHERE org_id = :org)",
    "approval_votes": "approval_id IN (SELECT id FROM approvals WHERE org_id = :org)",
    "audit_streams": "EXISTS (SELECT 1 FROM audit_events AS first"
    " WHERE first.stream = audit_streams.stream AND first.seq = 1 AND first.org_id = :org)",
}
SHARED = frozenset({"meta", "nodes"})
"""Tables whose rows belong to no organisation."""


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


def rows_of(table: str, columns: Collection[str]) -> str:
    """Give the SQL condition (with ``:org``) of an organisation's rows; true of every row where nobody owns any."""
    if "org_id" in columns:
        return "org_id = :org"
    return _THROUGH.get(table, "1 = 1")
