"""One audit key for all who write one organisation's audit: the database keeps its fingerprint."""

from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.audit.chain import ChainKey, load_or_create_key
from akili_cli.domain.errors import AuditError


async def load_shared_key(db: Database, org: str, path: Path) -> bytes:
    """Read the workspace's audit key (or make it); raises ``AuditError`` when the organisation's audit has another.

    The first to open an organisation decides which key it is.
    """
    key = load_or_create_key(path)
    own = ChainKey(key).fingerprint
    kept = await db.read(lambda connection: _fingerprint(connection, org))
    if not kept:
        kept = await db.write(lambda connection: _keep(connection, org, own), durable=True)
    if kept != own:
        raise AuditError(
            f"the audit of the organisation {org!r} is kept with another key than {path}",
            hint="copy audit.key from the workspace that this database was first used with",
        )
    return key


def _fingerprint(connection: Connection, org: str) -> str:
    rows = connection.execute("SELECT audit_key FROM organizations WHERE id = :org", {"org": org})
    return str(rows[0]["audit_key"] or "") if rows else ""


def _keep(connection: Connection, org: str, fingerprint: str) -> str:
    sql = "UPDATE organizations SET audit_key = :own WHERE id = :org AND audit_key IS NULL"
    connection.execute(sql, {"own": fingerprint, "org": org})
    return _fingerprint(connection, org)
