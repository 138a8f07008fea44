from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from akili_cli.cli.gateway import listen_overrides
from akili_cli.domain.errors import UsageError
from tests.integration.akili import ROLE, Akili

PLANNER = {"permissions": [*ROLE["permissions"], "create_cronjob"], "max_risk_level": "medium"}
CONFIG: dict[str, Any] = {
    "security": {"roles": {"operator": PLANNER}, "default_role": "operator"},
    "scheduler": {"enabled": True, "poll_interval_seconds": 1},
}


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    made = Akili(tmp_path)
    made.configure(**CONFIG)
    return made


def started(akili: Akili, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a node and wait until it says that it runs."""
    process = akili.start(*arguments)
    assert process.stderr is not None
    limit = threading.Timer(30, process.kill)
    limit.start()
    line = process.stderr.readline()
    limit.cancel()
    assert b"runs cron" in line, line + process.stderr.read()
    return process


@pytest.mark.parametrize(
    ("port", "where"),
    [("8080", "127.0.0.1:8080"), (":8080", ":8080"), ("[::1]:0", "[::1]:0"), ("10.0.0.1:1", "10.0.0.1:1")],
)
def test_a_port_switches_http_on_and_says_where(port: str, where: str) -> None:
    assert listen_overrides(port) == {"gateways.http.enabled": True, "gateways.http.listen_addr": where}
    assert listen_overrides(None) == {}


@pytest.mark.parametrize("port", ["", "x", "99999", "host:80", "127.0.0.1"])
def test_a_port_that_is_none_is_a_usage_error(port: str) -> None:
    with pytest.raises(UsageError, match="--port"):
        listen_overrides(port)


def test_with_nothing_switched_on_it_refuses_and_says_what_to_set(akili: Akili) -> None:
    akili.configure(security=CONFIG["security"])
    for command in ("gateway", "agent"):
        done = akili.run(command)
        assert done.returncode == 1
        assert b"scheduler.enabled: true" in done.stderr


def test_a_job_made_elsewhere_is_run_and_sigterm_ends_with_0(akili: Akili) -> None:
    process = started(akili, "gateway", "--drain", "5")
    akili.run("cron", "add", "health", "* * * * *", "Is this host healthy?")
    import sqlite3

    with sqlite3.connect(akili.workspace / "akili.db", timeout=20) as db:  # not to wait for the next minute
        db.execute("UPDATE cron_jobs SET next_run_at = ?", (time.time(),))
    end = time.monotonic() + 25
    records: list[Any] = []
    while time.monotonic() < end and not any(one["status"] == "ok" for one in records):
        records = json.loads(akili.run("cron", "history", "--json").stdout)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert err.decode().splitlines()[-1] == "stopped"
    assert [one["status"] for one in records][:1] == ["ok"]
    assert akili.run("audit", "verify").returncode == 0


def test_a_second_signal_ends_it_at_once(akili: Akili) -> None:
    akili.configure(**CONFIG)
    process = started(akili, "gateway")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130), err


def test_a_workers_name_is_its_own_until_it_has_ended(akili: Akili) -> None:
    process = started(akili, "agent", "--agent-id", "w1", "--concurrency", "2", "--poll-interval", "1")
    taken = akili.run("agent", "--agent-id", "w1")
    assert (taken.returncode, b"is running" in taken.stderr) == (1, True)
    process.kill()
    process.communicate()
    again = started(akili, "agent", "--agent-id", "w1")
    again.terminate()
    again.communicate(timeout=30)
    assert again.returncode == 0
