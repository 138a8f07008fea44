from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.organizations import SHARED, open_organization, rows_of, slug_of
from akili_cli.adapters.storage.schema import tables
from akili_cli.adapters.storage.settings import PostgresSettings


@pytest.mark.parametrize(
    ("name", "slug"),
    [("default", "default"), ("Acme Corp", "acme-corp"), ("  Ümlaut  &  Sons ", "ümlaut-&-sons"), ("a-b", "a-b")],
)
def test_a_slug_is_lower_case_with_dashes_for_spaces(name: str, slug: str) -> None:
    assert slug_of(name) == slug


async def test_an_organisation_is_made_on_first_use_and_once(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    assert await open_organization(db, "Acme Corp", 5.0) == "acme-corp"
    assert await open_organization(db, "acme  CORP", 6.0) == "acme-corp"
    rows = await db.read(lambda c: c.execute("SELECT * FROM organizations"))
    await db.close()
    made = {"id": "acme-corp", "name": "Acme Corp", "slug": "acme-corp", "created_at": 5.0, "audit_key": None}
    assert rows == [made]


def test_every_table_belongs_to_organisations_or_is_shared_on_purpose() -> None:
    shared = {table.name for table in tables() if rows_of(table.name, table.columns) == "1 = 1"}
    assert shared == SHARED


@pytest.mark.parametrize(
    "name", ["", "   ", "a\nb", "a\u202eb", "x" * 101], ids=["empty", "blank", "line", "bidi", "long"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        PostgresSettings(default_org_name=name)
