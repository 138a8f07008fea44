from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.bootstrap.answers import AgentAnswers, run_of
from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.domain.calls import Source, Status
from akili_cli.domain.events import Event
from akili_cli.features.queries.model import QueryDraft
from tests.fakes.clock import FakeClock
from tests.unit.features.queries.test_model import query


def test_a_run_is_as_the_question_asked_and_the_same_each_time() -> None:
    draft = QueryDraft(message="x", autonomous=True, read_only=True, plan=True, max_cost_usd=2.0)
    asked = query(draft=draft, conversation_id="talk")
    run = run_of(asked)
    assert run == run_of(asked)
    assert (run.id, run.principal.user, run.principal.source) == ("q", "ann", Source.HTTP)
    assert (run.conversation_id, run.autonomous, run.read_only, run.plan) == ("talk", True, True, True)
    assert (run.correlation_id, run.max_cost_usd) == ("c" * 16, 2.0)


async def test_a_question_is_answered_with_its_attachments_and_limits(tmp_path: Path) -> None:
    home = tmp_path / "answers-home"
    home.mkdir(mode=0o700)
    start = Start(env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, cwd=tmp_path)
    events: list[Event] = []
    async with open_state(start) as state, open_app(state) as app:
        agent = AgentAnswers(await app.loop(), app.runbooks)
        steps = DirectSteps("query:q:once", FakeClock())
        wishes = ({"attachments": [{"label": "log", "text": "t"}]}, {"runbook": "service-health-check"})
        for number, more in enumerate(wishes):
            draft = QueryDraft.model_validate({"message": "Is this host healthy?", "max_steps": 1, **more})
            report = await agent.answer(query(id=f"q{number}", draft=draft), steps, events.append, lambda: False)
            assert report.run_id == f"q{number}"
            assert len(report.steps) == 1
            assert report.status is Status.FAILED
            assert "max_steps" in report.error
    assert {event.name for event in events} >= {"run.started", "tool.result", "run.finished"}
