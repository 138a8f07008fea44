"""Checks through the real pipeline of a real application, against real servers on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from akili_cli.bootstrap.alerts import open_checker
from akili_cli.bootstrap.app import App, Start, open_app, open_state
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.audit.reader import AuditReader
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.features.alerts.checking import put_check
from akili_cli.features.alerts.checks import filled
from akili_cli.features.alerts.model import Check
from tests.fakes.web import response, web_server

ANN = Principal("ann", Source.ALERT)
ROLE = {"permissions": ["web_search", "shell_exec"], "max_risk_level": "medium"}


@asynccontextmanager
async def opened(tmp_path: Path, port: int = 1, **overrides: Any) -> AsyncIterator[App]:
    home = tmp_path / "alerts-home"
    home.mkdir(mode=0o700)
    given = {
        "security.roles.watcher": ROLE,
        "security.default_role": "watcher",
        "tools.web.allowed_domains": ["127.0.0.1", "169.254.169.254", "localhost"],
        "tools.web.allowed_private_hosts": [f"127.0.0.1:{port}"],
        **overrides,
    }
    start = Start(env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, cwd=tmp_path, overrides=given)
    async with open_state(start) as state, open_app(state) as app:
        yield app


async def check(app: App, kind: str, target: str, **config: str) -> tuple[str, Status | None, str]:
    looked = await open_checker(app).check(filled(Check(kind, target, config)), ANN, since=0.0)
    return str(looked.result.status), looked.status, looked.result.message


async def test_a_server_is_watched_from_up_to_down_to_up_and_every_look_is_a_recorded_call(tmp_path: Path) -> None:
    answers = [200, 503, 302, 200]
    async with (
        web_server(lambda _head: response(b"", answers.pop(0), Location="http://169.254.169.254/")) as web,
        opened(tmp_path, web.port) as app,
    ):
        url = f"http://127.0.0.1:{web.port}/"
        found = [(await check(app, "http_status", url))[0] for _ in range(4)]
        records = [entry.record for entry in await AuditReader(app.state.db, app.state.org).tail(100)]
    assert found == ["ok", "alert", "alert", "ok"]
    assert len(web.requests) == 4
    calls = [one for one in records if one.tool == "endpoint_check"]
    assert {(one.user, one.source) for one in calls} == {("ann", "alert")}
    assert len(calls) == 8


async def test_a_port_and_a_command_are_watched(tmp_path: Path) -> None:
    async with web_server(lambda _head: b"") as web, opened(tmp_path, web.port) as app:
        assert (await check(app, "tcp", f"127.0.0.1:{web.port}"))[0] == "ok"
        assert (await check(app, "command", "uptime"))[0] == "ok"
        assert (await check(app, "command", "uptime", expected_exit="3"))[:2] == ("alert", Status.OK)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("http_status", "http://169.254.169.254/latest/meta-data/"),
        ("http_status", "http://localhost:2/"),
        ("http_status", "http://127.0.0.1:2/"),
        ("http_status", "http://not-on-the-list.example/"),
        ("tcp", "127.0.0.1:22"),
        ("tls_expiry", "127.0.0.1"),
        ("command", "rm -rf /srv"),
    ],
)
async def test_what_is_refused_is_an_error_and_never_ok(tmp_path: Path, kind: str, target: str) -> None:
    async with opened(tmp_path) as app:
        status, how, message = await check(app, kind, target)
    assert (status, how) == ("error", Status.DENIED)
    assert message


async def test_what_must_be_approved_is_an_error_and_is_asked_for_once(tmp_path: Path) -> None:
    held = {"security.roles.watcher": {**ROLE, "require_approval": ["shell_exec"]}}
    async with opened(tmp_path, **held) as app:
        for _ in range(3):
            status, how, message = await check(app, "command", "uptime")
            assert (status, how) == ("error", Status.APPROVAL_REQUIRED)
            assert "approval" in message
        assert len(await app.approvals.list(ApprovalStatus.PENDING)) == 1


async def test_a_job_that_is_not_there_and_a_check_that_cannot_be_are_errors(tmp_path: Path) -> None:
    async with opened(tmp_path) as app:
        for target in ("cron:none", "heartbeat:group/task"):
            status, how, message = await check(app, "heartbeat_missing", target, max_age_seconds="60")
            assert (status, how) == ("error", None)
            assert "there is no" in message
        looked = await open_checker(app).check(Check("tcp", "nowhere", {}), ANN, since=0.0)
        assert looked.result.status == "error"


async def test_a_check_makes_no_other_calls(tmp_path: Path) -> None:
    async with opened(tmp_path) as app:
        with pytest.raises(InvalidArgumentsError):
            await put_check(app.pipeline, "file_write", {"path": "/x", "content": ""}, ANN)
