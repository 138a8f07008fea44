from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from akili_cli.core.audit.verifier import Verifier
from akili_cli.domain.errors import BusyError
from tests.fakes.tools import Look
from tests.fakes.wiring import KEY, call_of, open_bench, run_by


async def test_the_audit_is_verified_by_one_at_a_time(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        await bench.pipeline.run(call_of(), run_by())
        verifier = Verifier(bench.db, tmp_path / "audit", KEY, "default")
        first = asyncio.ensure_future(verifier.run())
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="being verified already"):
            await verifier.run()
        assert (await first).ok
        assert (await verifier.run()).ok
