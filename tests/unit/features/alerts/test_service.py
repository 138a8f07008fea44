from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.errors import ConflictError, NotFoundError
from akili_cli.features.alerts import store
from akili_cli.features.alerts.service import AlertReader
from tests.fakes.alerts import rule


async def test_a_rule_is_found_by_name_first_and_never_by_a_beginning_that_two_share(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    for id_, name in (("abcd1111", "one"), ("abcd2222", "two")):
        await db.write(lambda c, id_=id_, name=name: store.add(c, rule(id=id_, name=name)))
    reader = AlertReader(db, "default")
    assert (await reader.rule("two")).id == "abcd2222"
    assert (await reader.rule("abcd2")).name == "two"
    with pytest.raises(ConflictError, match="more than one"):
        await reader.rule("abcd")
    with pytest.raises(NotFoundError, match="two"):
        await reader.rule("tow")
    await db.close()
