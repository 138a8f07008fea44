"""A call that a person changes at the prompt is a new call: decided anew, asked again, and told to the model."""

from __future__ import annotations

from pathlib import Path

from akili_cli.core.approvals.model import NO_OFFER, Answer, AnswerKind, Approval, Offer
from akili_cli.core.execution.pipeline import MAX_EDITS
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Verdict
from tests.fakes.tools import Change
from tests.fakes.wiring import call_of, open_bench, run_by

ASK = Rule("ask", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask")
NOT_ETC = Rule("not-etc", BUILT_IN, Verdict.DENY, Match(writes=("/etc",)), "not there")


class Editor:
    """Changes the path to the next of its own until they run out, then says yes."""

    def __init__(self, *paths: object) -> None:
        self.paths = list(paths)
        self.cards: list[Approval] = []

    async def ask(self, approval: Approval, _offer: Offer = NO_OFFER) -> Answer:
        self.cards.append(approval)
        if self.paths:
            return Answer(AnswerKind.EDIT, arguments={"path": self.paths.pop(0)})
        return Answer(AnswerKind.ONCE)


async def test_a_changed_call_is_asked_again_and_told_to_the_model(tmp_path: Path) -> None:
    editor, tool = Editor("/srv/other"), Change()
    async with open_bench(tmp_path, [tool], ASK, asker=editor) as bench:
        step = await bench.pipeline.run(call_of("change"), run_by())
        statuses = [one.status for one in await bench.pipeline.approvals.list()]
    assert step.status == "ok"
    assert [permit.effects.writes for permit in tool.permits] == [("/srv/other",)]
    assert step.text.startswith('A person changed this call to {"path":"/srv/other"} first.')
    assert [card.arguments["path"] for card in editor.cards] == ["/srv/x", "/srv/other"]
    assert sorted(statuses) == ["consumed", "denied"]


async def test_a_changed_call_that_policy_denies_does_not_run_or_ask(tmp_path: Path) -> None:
    editor = Editor("/etc/passwd")
    async with open_bench(tmp_path, [Change()], ASK, NOT_ETC, asker=editor) as bench:
        step = await bench.pipeline.run(call_of("change"), run_by())
        assert "success" not in await bench.results()
    assert step.status == "denied"
    assert "not-etc" in step.text
    assert len(editor.cards) == 1


async def test_a_changed_call_that_makes_no_sense_does_not_run(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Change()], ASK, asker=Editor(7)) as bench:
        step = await bench.pipeline.run(call_of("change"), run_by())
        assert "success" not in await bench.results()
    assert step.status == "invalid"


async def test_there_is_an_end_to_changing(tmp_path: Path) -> None:
    editor = Editor(*(f"/srv/{n}" for n in range(MAX_EDITS + 3)))
    async with open_bench(tmp_path, [Change()], ASK, asker=editor) as bench:
        step = await bench.pipeline.run(call_of("change"), run_by())
    assert step.status == "denied"
    assert len(editor.cards) == MAX_EDITS + 1
