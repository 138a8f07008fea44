from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Connection
from akili_cli.features.webhooks import store


async def test_a_mark_stands_until_it_is_over(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")

    def work(conn: Connection) -> list[object]:
        found: list[object] = [store.mark(conn, "o", "h", "m", "c", 10.0), store.mark(conn, "o", "h", "m", "d", 99.0)]
        found.append(store.mark(conn, "p", "h", "m", "c", 10.0))
        store.led_to(conn, "o", "h", "c", "run-1")
        found.append(store.run_of(conn, "o", "h", "m"))
        store.forget(conn, "o", "h", 10.0)
        found += [store.run_of(conn, "o", "h", "m"), store.mark(conn, "o", "h", "m", "d", 99.0)]
        return found

    assert await db.write(work) == [True, False, True, "run-1", None, True]
    await db.close()


async def test_runs_are_counted_alone_and_taken_back(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")

    def work(conn: Connection) -> list[list[float]]:
        store.lock(conn, "o", "h", 50.0)
        store.lock(conn, "o", "h", 60.0)
        for claim, until in (("b", 20.0), ("a", 10.0)):
            store.mark(conn, "o", "h", f"run {claim}", claim, until)
            store.mark(conn, "o", "h", f"alert {claim}", claim, until)
        before = store.begun(conn, "o", "h")
        store.release(conn, "o", "h", "a")
        return [before, store.begun(conn, "o", "h")]

    assert await db.write(work) == [[10.0, 20.0], [20.0]]
    await db.close()
