from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.domain.errors import StorageError


def put(key: str) -> Callable[[Connection], list[Row]]:
    return lambda connection: connection.execute("INSERT INTO meta (key, value) VALUES (:key, 'v')", {"key": key})


async def count(db: SqliteDatabase) -> object:
    return (await db.read(lambda c: c.execute("SELECT count(*) AS n FROM meta")))[0]["n"]


async def test_every_file_of_it_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        db = await open_sqlite(tmp_path / "akili.db")
        await db.write(put("a"))
        assert await count(db) == 1
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("akili.db*")}
    assert modes == {"akili.db": 0o600, "akili.db-wal": 0o600, "akili.db-shm": 0o600}
    await db.close()


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "akili.db"
    await (await open_sqlite(path)).close()
    path.chmod(0o644)
    db = await open_sqlite(path)
    await db.write(put("a"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("akili.db*")} == {0o600}
    await db.close()


async def test_closing_leaves_one_file(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    await db.write(put("a"))
    assert await count(db) == 1
    await db.close()
    assert [path.name for path in tmp_path.glob("akili.db*")] == ["akili.db"]


async def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%41&mode=ro;'\".db"
    db = await open_sqlite(path)
    await db.write(put("a"))
    assert await count(db) == 1
    await db.close()
    assert path.exists()


async def test_durable_writes_are_synced_and_others_are_not(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")

    def sync(connection: Connection) -> object:
        return connection.execute("PRAGMA synchronous")[0]["synchronous"]

    full, normal = 2, 1
    assert await db.write(sync) == normal
    assert await db.write(sync, durable=True) == full
    assert await db.write(sync) == normal
    await db.close()


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 100)


def cut_off(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
    connection.commit()
    connection.close()
    raw = bytearray(path.read_bytes())
    raw[100:4096] = b"\xff" * 3996
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "spoil",
    [damaged, cut_off, Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/n/x")],
    ids=["no database", "damaged", "directory", "fifo", "link to itself", "dangling link"],
)  # fmt: skip
async def test_a_file_that_cannot_be_used_is_a_storage_error(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "akili.db"
    spoil(path)  # type: ignore[operator] # a function of a path
    with pytest.raises(StorageError) as caught:
        await open_sqlite(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "path",
    ["/nowhere/akili.db", "/proc/akili.db", "/dev/null", "/dev/null/akili.db", "a\0b", "x" * 300, "/"],
    ids=["no directory", "read-only", "device", "below a file", "nul", "too long", "root"],
)
async def test_a_place_that_cannot_be_used_is_a_storage_error(path: str) -> None:
    with pytest.raises(StorageError) as caught:
        await open_sqlite(Path(path))
    assert caught.value.hint


async def test_a_database_held_by_another_process_is_a_storage_error_after_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "akili.db"
    db = await open_sqlite(path, busy_timeout_s=0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked") as caught:
        await db.write(put("a"))
    assert caught.value.retryable
    assert caught.value.hint
    holder.execute("ROLLBACK")
    await db.write(put("a"))
    holder.close()
    await db.close()


async def test_a_new_file_held_by_another_process_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "akili.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked") as caught:
        await open_sqlite(path, busy_timeout_s=0.1)
    assert caught.value.retryable
    holder.close()


async def test_a_full_disk_fails_the_write_and_not_the_database(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    await db.write(put("before"))

    def fill(connection: Connection) -> None:
        connection.execute("PRAGMA max_page_count=1")
        for n in range(1000):
            connection.execute(
                "INSERT INTO meta (key, value) VALUES (:key, :value)", {"key": f"k{n}", "value": "x" * 4000}
            )

    results = await asyncio.gather(db.write(put("a")), db.write(fill), return_exceptions=True)
    assert isinstance(results[1], StorageError)
    assert results[1].hint == "free some space on the disk that holds the database"
    await db.write(lambda c: c.execute("PRAGMA max_page_count=1000000"))
    await db.write(put("after"))
    kept = {row["key"] for row in await db.read(lambda c: c.execute("SELECT key FROM meta"))}
    assert kept >= {"before", "after"}
    assert ("a" in kept) == (not isinstance(results[0], BaseException))
    await db.close()


LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.errors import StorageError

async def main():
    db = await open_sqlite(Path(sys.argv[1]))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
    put = "INSERT INTO meta (key, value) VALUES (:k, :v)"
    for n in range(1000):
        try:
            await db.write(lambda c: c.execute(put, {"k": str(n), "v": "x" * 5000}), durable=True)
        except StorageError as error:
            print(n, error.hint)
            break
    await db.close()

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_bytes_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "akili.db"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    stored, _, hint = done.stdout.strip().partition(" ")
    assert "disk" in hint
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM meta").fetchone() == (int(stored),)
    connection.close()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from akili_cli.adapters.storage.backends.sqlite import open_sqlite

async def main():
    db = await open_sqlite(Path(sys.argv[1]))
    put = "INSERT INTO meta (key, value) VALUES (:k, 'v')"
    for n in range(50):
        await db.write(lambda c: c.execute(put, {"k": str(n)}), durable=n == 49)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "akili.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL
    db = await open_sqlite(path)
    assert await count(db) == 50
    await db.close()


async def test_a_cancelled_caller_whose_turn_has_not_come_writes_nothing(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    loop = asyncio.get_running_loop()
    begun = asyncio.Event()
    go_on = asyncio.Event()

    def hold(_connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)

    first = asyncio.create_task(db.write(hold))
    await begun.wait()
    second = asyncio.create_task(db.write(put("never")))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    await first
    await db.write(put("later"))
    assert await count(db) == 1
    await db.close()


async def test_two_databases_on_one_file_in_one_process_share_it(tmp_path: Path) -> None:
    path = tmp_path / "akili.db"
    first = await open_sqlite(path)
    second = await open_sqlite(path)
    await asyncio.gather(*(db.write(put(f"{db is first}{n}")) for n in range(20) for db in (first, second)))
    await second.close()
    await first.write(put("last"))
    assert await count(first) == 41
    await first.close()


def test_reopening_does_not_import_the_migration_library(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from akili_cli.adapters.storage.backends.sqlite import open_sqlite\n"
        "async def main(): await (await open_sqlite(Path(sys.argv[1]))).close()\n"
        "asyncio.run(main()); print('sqlite_utils' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "akili.db")]
    outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert outputs == ["True\n", "False\n"]


def test_a_program_that_forgets_to_close_still_ends(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from akili_cli.adapters.storage.backends.sqlite import open_sqlite\n"
        "async def main():\n"
        "    db = await open_sqlite(Path(sys.argv[1]))\n"
        "    await db.write(lambda c: c.execute('SELECT 1')); await db.read(lambda c: 1)\n"
        "asyncio.run(main())"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "akili.db")], timeout=20, check=True)
