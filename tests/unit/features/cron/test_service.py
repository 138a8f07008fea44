from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.errors import ConflictError, NotFoundError
from akili_cli.features.cron import store
from akili_cli.features.cron.service import CronReader, as_due
from tests.fakes.cron import job


def test_the_ticker_sees_the_owner_and_what_the_run_needs() -> None:
    due = as_due(job(budget_limit_usd=1.0, notify=("ops",)), 60.0)
    assert (due.user, due.window_s) == ("ann", 60.0)
    assert due.payload["goal"] == "look"
    assert due.payload["notify"] == ["ops"]


async def test_a_job_is_found_by_name_first_and_never_by_a_beginning_that_two_share(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    for id_, name in (("abcd1111", "one"), ("abcd2222", "two"), ("ffff3333", "abcd1111")):
        await db.write(lambda c, id_=id_, name=name: store.add(c, job(id=id_, name=name)))
    reader = CronReader(db, "default")
    assert (await reader.job("two")).id == "abcd2222"
    assert (await reader.job("abcd2")).name == "two"
    with pytest.raises(ConflictError, match="more than one"):
        await reader.job("abcd")
    with pytest.raises(ConflictError, match="more than one"):
        await reader.job("abcd1111")
    with pytest.raises(NotFoundError, match="two"):
        await reader.job("tow")
    await db.close()
