from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.execution.undoing import restore, undo
from akili_cli.core.undo.journal import Journal
from akili_cli.core.undo.model import UndoEntry
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.errors import ConflictError
from tests.fakes.tools import Look
from tests.fakes.wiring import Bench, open_bench

ANN = Principal("ann", Source.HTTP)


def journal_of(bench: Bench, directory: Path) -> Journal:
    settings = UndoSettings.model_validate({})
    return Journal(bench.db, directory / "undo", settings, bench.clock, org="default", host="web1")


def entry(**fields: object) -> UndoEntry:
    given: dict[str, object] = {
        "id": "0" * 16, "org": "default", "user": "ann", "host": "web1", "tool": "git_write", "run_id": "r",
        "call_id": "c", "audit_id": "a", "path": "/srv/repo", "at": 1.0, "finished_at": 2.0, **fields,
    }  # fmt: skip
    return UndoEntry(**given)  # type: ignore[arg-type]  # test values


async def test_a_call_that_undoes_is_a_run_of_its_own_with_the_given_correlation(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        step = await restore(bench.pipeline, "look", {"path": "/srv/x"}, ANN, "why", "c" * 16)
        assert step.status is Status.OK
        records = await bench.records()
        assert {(r.record.user, r.record.source, r.record.correlation_id) for r in records} == {
            ("ann", "http", "c" * 16)
        }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"undone_at": 3.0}, "undone already"),
        ({"finished_at": None}, "akili stopped while git_write was at work"),
        ({"why_not": "too large"}, "too large"),
    ],
    ids=["undone", "unfinished", "not kept"],
)
async def test_what_cannot_be_undone_is_refused_and_nothing_is_put(
    tmp_path: Path, fields: dict[str, object], why: str
) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        with pytest.raises(ConflictError, match=why):
            await undo(bench.pipeline, journal_of(bench, tmp_path), entry(**fields), ANN, "c" * 16)
        assert await bench.records() == []
