from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.dbos import SCHEMA
from tests.contract.engine_process import STEPS

PROGRAM = Path(__file__).with_name("engine_process.py")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("driver", ["sqlite", "postgres"])
def test_another_node_goes_on_with_what_a_killed_one_had_begun(
    driver: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where = str(tmp_path / "engine.db") if driver == "sqlite" else request.getfixturevalue("postgres_dsn")
    log = tmp_path / "log"
    first = subprocess.Popen([sys.executable, str(PROGRAM), "first", where, str(log), "start"])
    while not log.exists() or len(log.read_text().splitlines()) < 3:
        assert first.poll() is None
        time.sleep(0.02)
    first.kill()
    first.wait()
    begun = len(log.read_text().splitlines())
    second = subprocess.run(
        [sys.executable, str(PROGRAM), "second", where, str(log), "resume"],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    lines = log.read_text().splitlines()
    if driver == "postgres":
        _drop(where)
    assert second.stdout.split() == ["done", "whole"], second.stderr
    done = [int(line.split()[2]) for line in lines]
    assert sorted(set(done)) == list(range(STEPS))
    assert len(done) - STEPS <= 1  # only the step whose value was not kept when the kill came
    assert all(line.startswith("second") for line in lines[begun:])


def _drop(dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{SCHEMA}" CASCADE'.encode())
