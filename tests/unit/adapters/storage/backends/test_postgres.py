from __future__ import annotations

import socket
import time
import traceback

import psycopg
import pytest

from akili_cli.adapters.storage.backends.postgres import _parsed, _translated, open_postgres
from akili_cli.domain.errors import ConflictError, StorageError

SECRET = "s3cr3t-pa55"


async def refusal(dsn: str) -> StorageError:
    with pytest.raises(StorageError) as caught:
        await open_postgres(dsn, max_open=2, max_idle=0, lifetime_s=60)
    return caught.value


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/db",
        f"host=127.0.0.1 port=1 user=ann password={SECRET}",
        f"postgresql://ann:{SECRET}@127.0.0.1:notaport/db",
        f"postgresql://ann:{SECRET}@[::1/db",
        f"postgresql://ann:{SECRET}@127.0.0.1:1/db?nosuch={SECRET}",
        f"host=127.0.0.1 {SECRET}",
        f"password='{SECRET}",
        f"{SECRET}=x",
        f"host=/{SECRET}/nowhere password={SECRET}",
        f"postgresql://ann:{SECRET}@127.0.0.1:1/db?sslmode={SECRET}",
    ],
)
async def test_the_password_is_in_no_error(dsn: str) -> None:
    error = await refusal(dsn)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in error.hint
    assert error.hint


@pytest.mark.parametrize("dsn", ["", "nonsense", "\0", "mysql://x/y", "postgresql://%zz"])
async def test_a_malformed_dsn_is_a_storage_error(dsn: str) -> None:
    if dsn == "":
        dsn = "host=127.0.0.1 port=1"
    await refusal(dsn)


async def test_an_unreachable_server_is_a_storage_error_at_once() -> None:
    error = await refusal("host=127.0.0.1 port=1 dbname=x")
    assert error.retryable
    assert "server" in error.hint


async def test_a_server_that_never_answers_is_given_up_in_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        error = await refusal(f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x connect_timeout=2")
    assert time.monotonic() - began < 6
    assert error.retryable


@pytest.mark.parametrize(
    ("raised", "expected", "retryable"),
    [
        (psycopg.errors.UniqueViolation("x"), ConflictError, False),
        (psycopg.errors.DeadlockDetected("x"), StorageError, True),
        (psycopg.errors.SerializationFailure("x"), StorageError, True),
        (psycopg.errors.LockNotAvailable("x"), StorageError, True),
        (psycopg.errors.AdminShutdown("x"), StorageError, True),
        (psycopg.errors.SyntaxError("x"), StorageError, False),
        (psycopg.errors.ForeignKeyViolation("x"), StorageError, False),
        (psycopg.OperationalError("gone"), StorageError, True),
        (psycopg.ProgrammingError("odd"), StorageError, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_driver_errors_become_ours(raised: Exception, expected: type[StorageError], retryable: bool) -> None:
    with pytest.raises(expected) as caught, _translated(_parsed("dbname=x")):
        raise raised
    assert caught.value.retryable is retryable
