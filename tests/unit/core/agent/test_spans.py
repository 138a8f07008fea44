from __future__ import annotations

from akili_cli.core.agent.spans import answer_span, request_span, run_span
from akili_cli.domain.messages import Attempt, Completion, Message, ModelRequest, TextBlock, Usage
from tests.fakes.models import ScriptedModel
from tests.fakes.wiring import run_by

TEXT = Message("user", (TextBlock("a private text"),))


def test_a_span_has_the_names_of_the_conventions_and_no_text() -> None:
    asked = request_span(ScriptedModel("x"), ModelRequest("a private system", (TEXT,), max_tokens=7))
    done = Completion(TEXT, Usage(10, 5), "end_turn", "q", "n", 0.1, (Attempt("p", "m", "private"), Attempt("q", "n")))
    answered = answer_span(done)
    assert asked["gen_ai.provider.name"] == asked["gen_ai.system"] == "scripted"
    assert (asked["gen_ai.request.model"], asked["gen_ai.request.max_tokens"]) == ("m1", 7)
    assert (answered["gen_ai.provider.name"], answered["gen_ai.response.model"]) == ("q", "n")
    assert (answered["gen_ai.usage.input_tokens"], answered["gen_ai.usage.output_tokens"]) == (10, 5)
    assert answered["akili.attempts"] == 2
    assert "private" not in str({**asked, **answered})


def test_a_run_is_named_by_who_asked_and_its_ids() -> None:
    told = run_span(run_by("ann", agent="reviewer"))
    assert (told["enduser.id"], told["gen_ai.agent.name"], told["akili.correlation_id"]) == (
        "ann",
        "reviewer",
        "c" * 16,
    )
    assert run_span(run_by())["gen_ai.agent.name"] == "akili"
