from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.approvals.auto import AutoApproval
from akili_cli.core.approvals.settings import AutoApprovalSettings
from akili_cli.domain.effects import Effects
from tests.fakes.clock import FakeClock
from tests.unit.core.approvals.test_grants import asked


async def test_nothing_goes_through_by_itself_until_it_is_switched_on_and_approved(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    try:
        for settings in ({}, {"enabled": True}, {"enabled": True, "allowed_tools": ["shell_exec"]}):
            auto = AutoApproval(db, "default", FakeClock(), AutoApprovalSettings.model_validate(settings))
            assert not await auto.claim(asked(Effects(writes=("/srv/x",))))
    finally:
        await db.close()
