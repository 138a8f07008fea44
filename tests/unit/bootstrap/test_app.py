from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import App, Start, open_app, open_ledger, open_runbooks, open_state
from akili_cli.core.audit.reader import AuditReader
from akili_cli.domain.calls import Principal, Run, Status, ToolCall
from akili_cli.domain.errors import ConfigError, NotFoundError


def begun(tmp_path: Path, **overrides: object) -> Start:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return Start(dict(os.environ), work, overrides={k.replace("__", "."): v for k, v in overrides.items()})


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with open_state(begun(tmp_path)) as state, open_app(state) as opened:
        yield opened


def run_by(user: str = "ann") -> Run:
    return Run("run-1", Principal(user), "c" * 16)


async def test_one_process_is_wired_from_policy_to_audit(app: App) -> None:
    step = await app.pipeline.run(ToolCall("c", "file_read", {"path": str(app.protected[0])}), run_by())
    assert step.status is Status.DENIED
    (entry,) = await AuditReader(app.state.db, "default").tail(1)
    assert entry.record.result == "policy_denied"
    assert app.protected == app.pipeline.approvals._protected


async def test_without_a_model_the_runbooks_answer_and_it_is_said(app: App) -> None:
    loop = await app.loop()
    assert loop.model.provider == "builtin"
    assert any("no model is configured" in notice for notice in app.notices)


async def test_a_pinned_runbook_keeps_no_conversation(app: App) -> None:
    loop = await app.loop(runbook="service-health-check")
    assert loop.history is None
    with pytest.raises(NotFoundError):
        await (await app.loop(runbook="nosuch")).run("x", run_by())


async def test_memory_can_be_switched_off(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path, memory__enabled=False)) as state, open_app(state) as opened:
        assert opened.history is None


async def test_a_provider_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    async with (
        open_state(begun(tmp_path, providers__default="openai")) as state,
        open_app(state) as opened,
    ):
        with pytest.raises(ConfigError):
            await opened.loop()


async def test_books_and_runbooks_need_no_app(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state:
        assert (await open_ledger(state).status("ann")).spent_usd == 0
        assert "service-health-check" in {one.slug for one in open_runbooks(state).list()}
        assert not state.workspace.audit_key.exists()


async def test_the_end_of_an_app_closes_its_audit(tmp_path: Path) -> None:
    async with open_state(begun(tmp_path)) as state:
        async with open_app(state):
            pass
        rows = await state.db.read(lambda c: c.execute("SELECT closed_at FROM audit_streams"))
        assert all(row["closed_at"] is not None for row in rows)
