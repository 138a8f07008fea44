from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.inline import DirectSteps, InlineEngine
from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.core.schedule.player import Player
from akili_cli.core.schedule.ticker import Ticker
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.errors import (
    ConflictError,
    InvalidArgumentsError,
    NotFoundError,
    PolicyDeniedError,
    PreconditionError,
)
from akili_cli.features.alerts import store
from akili_cli.features.alerts.checking import Looked
from akili_cli.features.alerts.model import AlertRule, Check, Result, RuleChanges, RuleDraft, Standing
from akili_cli.features.alerts.service import AlertService
from akili_cli.features.alerts.settings import AlertingSettings
from akili_cli.features.alerts.worker import AlertSchedule
from tests.fakes.alerts import Outbox, fire_of
from tests.fakes.clock import FakeClock

ANN, BEN, ADA, VIC = (Principal(name, Source.CLI) for name in ("ann", "ben", "ada", "vic"))


@dataclass
class Checker:
    """Finds what the test says."""

    found: Standing = Standing.OK
    status: Status | None = None
    asked: list[tuple[Check, Principal]] = field(default_factory=list)

    async def check(self, check: Check, who: Principal, *, since: float) -> Looked:
        assert since > 0
        self.asked.append((check, who))
        return Looked(Result(self.found, f"found {self.found}"), self.status)


@dataclass
class Room:
    db: Database
    clock: FakeClock
    service: AlertService
    outbox: Outbox
    checker: Checker
    schedule: AlertSchedule
    count: int = 0

    async def check(self, typed: str, found: str) -> AlertRule:
        """Let a minute go by, look once and end it, as the ticker does."""
        self.count += 1
        self.clock.move(60)
        self.checker.found = Standing(found)
        fire = fire_of(await self.service.reader.rule(typed), self.count)
        ended = await self.schedule.run(fire, DirectSteps("f", self.clock))
        await self.end(fire, ended)
        return await self.service.reader.rule(typed)

    async def end(self, fire: Fire, ended: Ended) -> None:
        await self.db.write(lambda c: self.schedule.ended(c, fire, ended, self.clock.now()))

    @property
    def told(self) -> list[str]:
        return [notice.metadata["status"] for notice in self.outbox.notices]


@pytest.fixture
async def room(db: Database, tmp_path: Path) -> AsyncIterator[Room]:
    clock, outbox, checker = FakeClock(), Outbox(), Checker()
    settings = AlertingSettings.model_validate({"default_cooldown_seconds": 120})
    audit = await open_audit_log(db, tmp_path / "audit", b"k" * 32, clock, Redactor(), "default")
    service = AlertService(
        db=db,
        org="default",
        settings=settings,
        clock=clock,
        audit=audit,
        notifier=outbox,
        permissions_of=lambda who: frozenset() if who.user == "vic" else frozenset({"create_alert"}),
        is_admin=lambda who: who.user == "ada",
    )
    schedule = AlertSchedule(settings=settings, checker=checker, notifier=outbox, clock=clock)  # type: ignore[arg-type]  # the test's own
    yield Room(db, clock, service, outbox, checker, schedule)
    await audit.close()


def draft(**more: object) -> RuleDraft:
    given = {
        "name": "web",
        "target": "https://a.example/",
        "check_type": "http_status",
        "cron_expression": "* * * * *",
        "channels": ["ops"],
    }
    return RuleDraft.model_validate({**given, **more})


def changes(**given: object) -> RuleChanges:
    return RuleChanges.model_validate(given)


async def test_a_rule_is_kept_with_the_configured_cooldown_and_its_target_as_url(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    assert await room.service.reader.rule("web") == await room.service.reader.rule(rule.id[:8]) == rule
    assert (rule.cooldown_seconds, rule.check.config) == (120, {"url": "https://a.example/"})
    assert rule.next_run_at == room.clock.now() + 60
    assert (await room.service.add(draft(name="own", cooldown_seconds=7), ANN)).cooldown_seconds == 7
    records = [entry.record for entry in await AuditReader(room.db, "default").tail(10)]
    assert [(r.tool, r.user) for r in records if r.tool] == [("alerts.add", "ann")] * 2


HTTP_ANN, HTTP_BEN, HTTP_ADA = (Principal(name, Source.HTTP) for name in ("ann", "ben", "ada"))


async def test_from_elsewhere_a_rule_is_found_by_its_whole_id_and_by_its_owner_or_an_admin_only(room: Room) -> None:
    rule = await room.service.add(draft(), HTTP_ANN)
    with pytest.raises(NotFoundError) as unknown:
        await room.service.edit("0" * 36, changes(target="x"), HTTP_BEN)
    for typed, by in ((rule.id, HTTP_BEN), (rule.name, HTTP_ANN), (rule.id[:8], HTTP_ANN)):
        for act in (
            room.service.mine(by).by_id(typed),
            room.service.mine(by).checks(typed),
            room.service.edit(typed, changes(description="x"), by),
            room.service.mute(typed, None, by),
            room.service.remove(typed, by),
            room.service.to_test(typed, by),
        ):
            with pytest.raises(NotFoundError) as caught:
                await act
            assert str(caught.value).replace(typed, "0" * 36) == str(unknown.value)
            assert caught.value.hint == unknown.value.hint
    assert await room.service.mine(HTTP_BEN).page() == await room.service.mine(HTTP_BEN).rules() == []
    assert await room.service.mine(HTTP_ANN).page(name="web") == [rule]
    assert (await room.service.edit(rule.id, changes(description="y"), HTTP_ADA)).user == "ann"
    assert (await room.service.to_test(rule.id, HTTP_ANN)).id == rule.id
    await room.service.remove(rule.id, HTTP_ADA)


async def test_checks_are_paged_newest_first(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    for found in ("ok", "alert", "ok"):
        await room.check("web", found)
    first = await room.service.mine(ANN).checks(rule.id, limit=2)
    rest = await room.service.mine(ANN).checks(rule.id, before=(first[-1].created_at, first[-1].id))
    assert [str(one.found) for one in (*first, *rest)] == ["ok", "alert", "ok"]


async def test_a_change_is_made_only_where_the_rule_is_as_expected(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)

    def refuse(now: object) -> None:
        assert now == rule
        raise PreconditionError("changed")

    with pytest.raises(PreconditionError):
        await room.service.edit("web", changes(description="x"), ANN, expects=refuse)
    with pytest.raises(PreconditionError):
        await room.service.remove("web", ANN, expects=refuse)
    assert await room.service.reader.rule("web") == rule


async def test_a_rule_made_disabled_is_never_due(room: Room) -> None:
    await room.service.add(draft(enabled=False), ANN)
    assert await room.db.read(lambda c: store.next_at(c, "default")) is None
    assert await room.db.write(lambda c: store.due(c, "default", 9e12, 5)) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"check_type": "http"}, "no type of check"),
        ({"target": "ftp://a.example"}, "http"),
        ({"check_type": "tcp"}, "host:port"),
        ({"check_config": {"expected_status": "good"}}, "whole number"),
        ({"cron_expression": "0 0 31 2 *"}, "never|day-of-month"),
        ({"channels": ["ops", "nowhere"]}, "no channel 'nowhere'"),
    ],
    ids=str,
)
async def test_a_rule_that_could_not_work_is_not_made(room: Room, given: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=why):
        await room.service.add(draft(**given), ANN)
    assert await room.service.reader.rules() == []


async def test_only_its_owner_or_an_admin_changes_a_rule_and_it_keeps_its_user(room: Room) -> None:
    await room.service.add(draft(), ANN)
    for verb in (
        room.service.edit("web", changes(target="https://evil.example/"), BEN),
        room.service.mute("web", room.clock.now() + 9, BEN),
        room.service.remove("web", BEN),
        room.service.edit("web", changes(name="x"), VIC),
        room.service.add(draft(name="x"), VIC),
        room.service.to_test("web", VIC),
    ):
        with pytest.raises(PolicyDeniedError):
            await verb
    changed = await room.service.edit("web", changes(description="d"), ADA)
    assert (changed.description, changed.user) == ("d", "ann")
    assert (await room.service.to_test("web", BEN)).name == "web"
    await room.service.remove("web", ANN)
    with pytest.raises(NotFoundError):
        await room.service.reader.rule("web")


async def test_two_rules_do_not_share_a_name(room: Room) -> None:
    await room.service.add(draft(), ANN)
    with pytest.raises(ConflictError, match="already"):
        await room.service.add(draft(), BEN)
    await room.service.add(draft(name="other"), BEN)
    with pytest.raises(ConflictError, match="already"):
        await room.service.edit("other", changes(name="web"), BEN)


async def test_a_changed_target_takes_its_url_along_and_forgets_what_was_found(room: Room) -> None:
    await room.service.add(draft(n_of="2 of 3"), ANN)
    assert len((await room.check("web", "alert")).state.recent) == 1
    moved = await room.service.edit("web", changes(target="https://b.example/"), ANN)
    assert (moved.check.config, moved.state.recent) == ({"url": "https://b.example/"}, ())
    with pytest.raises(InvalidArgumentsError):
        await room.service.edit("web", changes(check_type="tcp"), ANN)
    other = await room.service.edit("web", changes(check_type="tcp", target="b.example:80"), ANN)
    assert other.check == Check("tcp", "b.example:80", {})


async def test_ok_alert_ok_is_told_with_a_cooldown_between(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    for found in ("ok", "alert", "ok"):
        after = await room.check("web", found)
    assert room.told == ["alert"]
    assert after.next_run_at == rule.next_run_at
    assert (after.state.status, after.state.announced) == ("ok", "alert")
    await room.check("web", "ok")
    assert room.told == ["alert", "ok"]
    first = room.outbox.notices[0]
    assert (first.channels, first.user, first.source) == (("ops",), "ann", "alert")
    assert first.metadata == {
        "type": "alert",
        "alert_rule_id": rule.id,
        "status": "alert",
        "previous_status": "ok",
        "target": "https://a.example/",
    }
    assert first.key == f"alert:{rule.id}:2:alert"
    entries = [entry for _, entry in await room.service.reader.history("web", 10)]
    assert [str(one.found) for one in reversed(entries)] == ["ok", "alert", "ok", "ok"]
    assert [one.announced for one in reversed(entries)] == ["", "alert", "", "ok"]
    assert entries[-2].deliveries == ("d-1-ops",)
    assert entries[-2].notified_via == ("ops",)


async def test_what_waits_for_the_cooldown_is_looked_at_again_when_it_ends(room: Room) -> None:
    await room.service.add(draft(cron_expression="0 0 1 1 *"), ANN)
    spoke = await room.check("web", "alert")
    after = await room.check("web", "error")
    assert after.next_run_at == room.clock.now() + 60
    assert spoke.next_run_at > after.next_run_at


async def test_a_muted_rule_checks_and_says_at_the_end_what_is_still_true(room: Room) -> None:
    await room.service.add(draft(), ANN)
    await room.service.mute("web", room.clock.now() + 150, ANN)
    await room.check("web", "alert")
    await room.check("web", "alert")
    assert room.told == []
    await room.check("web", "alert")
    assert room.told == ["alert"]
    with pytest.raises(InvalidArgumentsError):
        await room.service.mute("web", room.clock.now() - 1, ANN)
    assert (await room.service.mute("web", None, ANN)).muted_until is None


async def test_an_edit_during_a_check_loses_neither_itself_nor_the_result(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    await room.service.edit("web", changes(description="new"), ANN)
    await room.end(fire_of(rule), Ended(status=FireStatus.OK, details={"found": "alert"}, summary="x"))
    after = await room.service.reader.rule("web")
    assert (after.description, after.state.status) == ("new", "alert")


async def test_what_an_older_check_found_says_nothing_about_a_changed_rule(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    await room.service.edit("web", changes(target="https://b.example/"), ANN)
    await room.end(fire_of(rule), Ended(status=FireStatus.OK, details={"found": "alert"}, summary="x"))
    assert (await room.service.reader.rule("web")).state.status == "ok"
    assert await room.service.reader.history(None, 5) == []


async def test_a_check_that_broke_is_an_error_and_the_end_of_a_removed_rule_is_none(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    await room.end(fire_of(rule), Ended(status=FireStatus.FAILED, error="the database is gone"))
    assert room.told == ["error"]
    assert "the database is gone" in room.outbox.notices[0].body
    await room.service.remove("web", ANN)
    await room.end(fire_of(rule, 2), Ended(status=FireStatus.OK))
    assert len(await room.service.reader.history(None, 5)) == 1


@pytest.mark.parametrize(
    ("found", "status", "expected"),
    [
        ("ok", Status.OK, FireStatus.OK),
        ("alert", Status.FAILED, FireStatus.OK),
        ("error", Status.DENIED, FireStatus.DENIED),
        ("error", Status.APPROVAL_REQUIRED, FireStatus.DENIED),
        ("error", Status.BUDGET_EXCEEDED, FireStatus.BUDGET_EXCEEDED),
        ("error", Status.FAILED, FireStatus.FAILED),
        ("error", None, FireStatus.FAILED),
    ],
)
async def test_how_a_check_ended_is_on_its_fire(
    room: Room, found: str, status: Status | None, expected: FireStatus
) -> None:
    rule = await room.service.add(draft(), ANN)
    room.checker.found, room.checker.status = Standing(found), status
    ended = await room.schedule.run(fire_of(rule), DirectSteps("f", room.clock))
    assert (ended.status, ended.error == "") == (expected, found != "error")
    ((_, who),) = room.checker.asked
    assert (who.user, who.source) == ("ann", Source.ALERT)


async def test_two_nodes_check_once_and_an_overdue_check_is_made_once(room: Room) -> None:
    await room.service.add(draft(), ANN)
    room.clock.move(3 * 86400)
    room.checker.found = Standing.ALERT

    async def record(_fire: Fire, _ended: Ended | None) -> None:
        await asyncio.sleep(0)

    tickers = []
    for name in ("one", "two"):
        player = Player(room.db, "default", name, [room.schedule], record, room.clock)
        engine = InlineEngine(name, player.bodies(), room.clock)
        tickers.append(Ticker(room.db, "default", name, player, engine, room.clock))
        await tickers[-1].begin()
    await asyncio.gather(*(ticker.tick() for ticker in tickers))
    for ticker in tickers:
        await ticker.stop(drain_s=5)
    assert len(room.checker.asked) == 1
    assert room.told == ["alert"]
    assert len(await room.service.reader.history("web", 9)) == 1


async def test_rules_of_another_organisation_are_not_there(room: Room) -> None:
    rule = await room.service.add(draft(), ANN)
    await room.check("web", "alert")
    assert await room.db.read(lambda c: store.rules(c, "other")) == []
    assert await room.db.read(lambda c: store.get(c, "other", rule.id)) is None
    assert await room.db.read(lambda c: store.history(c, "other", None, 9)) == []
    await room.db.write(lambda c: store.remove(c, "other", rule.id))
    await room.db.write(lambda c: store.settle(c, replace(rule, org="other")))
    assert (await room.service.reader.rule("web")).state.status == "alert"


async def test_the_last_good_end_of_a_job_is_found(room: Room) -> None:
    assert await room.db.read(lambda c: fires.last_ok(c, "default", "cron", "j")) is None
    payload: Mapping[str, object] = {}
    for number, status in enumerate((FireStatus.OK, FireStatus.OK, FireStatus.FAILED)):
        fire = Fire(
            id=f"cron:j:{number}",
            org="default",
            kind="cron",
            job_id="j",
            fire_at=float(number),
            user="ann",
            payload=payload,
            node="n",
        )
        await room.db.write(lambda c, fire=fire, at=number: fires.add(c, fire, FireStatus.RUNNING, float(at)))
        ended = Ended(status=status)
        await room.db.write(lambda c, fire=fire, ended=ended, at=number: fires.end(c, fire, ended, at + 0.5))
    assert await room.db.read(lambda c: fires.last_ok(c, "default", "cron", "j")) == 1.5
    assert await room.db.read(lambda c: fires.last_ok(c, "other", "cron", "j")) is None
