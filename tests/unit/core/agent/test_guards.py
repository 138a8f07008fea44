from __future__ import annotations

from akili_cli.core.agent.guards import Guards
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.domain.calls import Status, StepResult, ToolCall


def step(text: str = "x", *, status: Status = Status.OK, path: object = "/a") -> StepResult:
    return StepResult(ToolCall("c", "look", {"path": path}), status, text, "a")


def guards(**settings: object) -> Guards:
    return Guards(AgentSettings.model_validate(settings))


def test_nothing_stops_a_run_that_makes_progress() -> None:
    watched = guards()
    for number in range(50):
        watched.note(step(str(number)))
    assert watched.stop is None
    assert watched.steps_left == 50


def test_equal_calls_with_equal_results_stop_at_the_limit_and_not_before() -> None:
    watched = guards(max_repeats=3)
    for _ in range(2):
        watched.note(step())
    assert watched.stop is None
    watched.note(step("other result"))
    watched.note(step(path="/b"))
    assert watched.stop is None
    watched.note(step())
    assert watched.stop is not None
    assert not watched.denied_again


def test_the_second_equal_denial_stops_and_a_different_one_does_not() -> None:
    watched = guards()
    watched.note(step("no", status=Status.DENIED))
    watched.note(step("no", status=Status.DENIED, path="/b"))
    assert watched.stop is None
    watched.note(step("no, again", status=Status.DENIED))
    assert watched.denied_again
    assert "refused twice" in (watched.stop or "")


def test_the_limit_of_steps_counts_everything() -> None:
    watched = guards(max_steps=2)
    watched.note(step("a", status=Status.INVALID))
    assert watched.steps_left == 1
    watched.note(step("b"))
    assert "agent.max_steps" in (watched.stop or "")


def test_texts_and_arguments_that_are_no_unicode_are_counted_too() -> None:
    watched = guards(max_repeats=2)
    for _ in range(2):
        watched.note(step("\ud800", path="\ud800"))
    assert watched.stop is not None
