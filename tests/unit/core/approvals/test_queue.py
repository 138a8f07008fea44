from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.approvals.model import AnswerKind
from akili_cli.core.approvals.queue import PERMIT_TTL_S
from akili_cli.core.approvals.request import Held, Refused, Request, as_card
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import Decision, Origin, Permit, RuleHit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.clock import FakeClock
from tests.fakes.wiring import ScriptedAsker, call_of, queue_on, run_by

HIT = RuleHit("the-rule", Origin("a.yaml", 7), Verdict.ASK, "it says so")


def asked(verdict: Verdict = Verdict.ASK, risk: Risk = Risk.MEDIUM, source: Source = Source.CLI) -> Request:
    return Request(call_of(), run_by(source=source), Effects(reads=("/x",)), Decision(verdict, risk, (HIT,)), "d" * 64)


async def test_a_yes_at_the_terminal_gives_a_permit_for_these_effects_alone(tmp_path: Path) -> None:
    clock, asker = FakeClock(), ScriptedAsker()
    db = await open_sqlite(tmp_path / "akili.db")
    permit = await queue_on(db, clock, asker=asker).settle(asked())
    await db.close()
    assert isinstance(permit, Permit)
    assert permit.effects == Effects(reads=("/x",))
    assert permit.expires_at == clock.now() + PERMIT_TTL_S
    assert (permit.approved_by, permit.protected) == ("ann", ("/home/ann/.akili",))
    (card,) = asker.cards
    assert (card.host, card.cwd, card.because) == ("web1", "/srv", "it says so")


async def test_two_permits_never_share_an_id(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    queue = queue_on(db, FakeClock())
    permits = [await queue.settle(asked(Verdict.ALLOW)) for _ in range(2)]
    await db.close()
    assert len({permit.id for permit in permits if isinstance(permit, Permit)}) == 2


async def test_an_asker_is_never_shown_a_denied_call(tmp_path: Path) -> None:
    asker = ScriptedAsker()
    db = await open_sqlite(tmp_path / "akili.db")
    assert isinstance(await queue_on(db, FakeClock(), asker=asker).settle(asked(Verdict.DENY)), Refused)
    await db.close()
    assert asker.cards == []


async def test_a_no_without_words_says_who(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    refused = await queue_on(db, FakeClock(), asker=ScriptedAsker(AnswerKind.DENY)).settle(asked())
    await db.close()
    assert isinstance(refused, Refused)
    assert (refused.because, refused.rule_id) == ("ann said no", "the-rule")


async def test_an_asker_that_may_not_rule_refuses_the_call(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    queue = queue_on(db, FakeClock(), asker=ScriptedAsker())
    refused = await queue.settle(asked(risk=Risk.CRITICAL, source=Source.HTTP))
    await db.close()
    assert isinstance(refused, Refused)
    assert "four_eyes" in refused.because


@pytest.mark.parametrize("risk", list(Risk), ids=str)
async def test_the_card_holds_every_field_a_surface_shows(tmp_path: Path, risk: Risk) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    held = await queue_on(db, FakeClock()).settle(asked(risk=risk))
    await db.close()
    assert isinstance(held, Held)
    card = as_card(held.approval)
    assert (card["rule"], card["origin"]) == ("the-rule", "a.yaml:7")
    assert (card["risk"], card["status"], card["source"]) == (str(risk), "pending", "cli")
    assert card["arguments"] == {"path": "/srv/x"}
    assert card["reversible"] is True
    for name in ("id", "tool", "user", "host", "cwd", "effects", "because", "reason", "untrusted", "digest"):
        assert name in card
