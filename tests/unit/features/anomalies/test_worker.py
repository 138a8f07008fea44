from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.audit.model import AuditEntry, Kind, Result
from akili_cli.core.schedule.base import Notice
from akili_cli.domain.errors import AuditError
from akili_cli.features.anomalies.settings import AnomalySettings
from akili_cli.features.anomalies.worker import MAX_FOUND, AnomalyWatch
from tests.fakes.records import entry_of
from tests.fakes.wiring import Bench, open_bench

T = 1_000_000.0


class Outbox:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def queue(self, _connection: Connection, _org: str, notice: Notice, _now: float) -> tuple[str, ...]:
        self.notices.append(notice)
        return ()

    def unknown(self, _connection: Connection, _org: str, _channels: Sequence[str]) -> tuple[str, ...]:
        return ()


def watch_of(bench: Bench, outbox: Outbox, **settings: object) -> AnomalyWatch:
    chosen = AnomalySettings.model_validate({"enabled": True, "denial_burst": 2, **settings})
    return AnomalyWatch(settings=chosen, org="default", audit=bench.audit, notifier=outbox)


def refused(at: float, user: str = "ann") -> AuditEntry:
    return entry_of(Kind.CALL_OUTCOME, Result.DENIED, at=T + at, user=user, correlation_id="c" * 16)


async def test_what_is_found_is_in_the_log_on_record_and_in_the_outbox_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_bench(tmp_path, []) as bench:
        outbox = Outbox()
        watch = watch_of(bench, outbox, notify=["ops", "boss"], notify_as="watchman")
        for at in range(4):
            watch.observe(refused(at))
        with caplog.at_level(logging.WARNING):
            await watch.tick(T + 5)
            await watch.tick(T + 6)
        (entry,) = await bench.records()
    assert [record.message for record in caplog.records] == [
        "out of the ordinary: ann was refused 2 times within 300 s"
    ]
    assert caplog.records[0].__dict__["correlation_id"] == "c" * 16
    assert (entry.record.kind, entry.record.result, entry.record.tool) == (
        "anomaly",
        "noticed",
        "anomaly.denial_burst",
    )
    assert entry.record.parameters["subject"] == "ann"
    assert entry.record.correlation_id == "c" * 16
    (notice,) = outbox.notices
    assert (notice.channels, notice.user, notice.source) == (("ops", "boss"), "watchman", "alert")
    assert "ann was refused" in notice.body


async def test_without_channels_nobody_is_told(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        outbox = Outbox()
        watch = watch_of(bench, outbox)
        for at in range(3):
            watch.observe(refused(at))
        await watch.tick(T)
        assert (len(await bench.records()), outbox.notices) == (1, [])


async def test_its_own_records_are_not_looked_at(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        watch = watch_of(bench, Outbox())
        bench.audit.observer = watch.observe
        for _ in range(5):
            watch.observe(entry_of(Kind.ANOMALY, Result.NOTICED))
        await watch.tick(T)
        assert await bench.records() == []


async def test_what_could_not_be_recorded_is_tried_again(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        watch = watch_of(bench, Outbox())
        for at in range(2):
            watch.observe(refused(at))
        await bench.audit.close()
        with pytest.raises(AuditError):
            await watch.tick(T)
        await bench.audit.open()
        await watch.tick(T)
        assert len(await bench.records()) == 1


async def test_findings_that_nobody_fetches_do_not_pile_up(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        watch = watch_of(bench, Outbox())
        for number in range(2 * MAX_FOUND):
            for _ in range(2):
                watch.observe(refused(number, user=f"user-{number}"))
        assert len(watch._found) == MAX_FOUND
