from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.core.schedule.base import FireStatus
from akili_cli.features.queries.model import Query, QueryDraft, fire_id


def query(**changed: object) -> Query:
    told = {
        "id": "q",
        "org": "default",
        "user": "ann",
        "source": "http",
        "correlation_id": "c" * 16,
        "conversation_id": None,
        "draft": QueryDraft(message="why is the disk full?"),
        "created_at": 0.0,
    }
    return Query(**{**told, **changed})  # type: ignore[arg-type]  # the fields above


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": ""},
        {"message": " \n"},
        {"message": "x" * 200_001},
        {"message": "x", "extra": 1},
        {"message": "x", "autonomous": "yes"},
        {"message": "x", "max_cost_usd": 0},
        {"message": "x", "max_cost_usd": float("inf")},
        {"message": "x", "timeout_seconds": 0},
        {"message": "x", "attachments": [{"label": "", "text": "t"}]},
        {"message": "x", "attachments": [{"label": "l", "text": "t"}] * 21},
    ],
)
def test_a_question_that_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QueryDraft.model_validate(wrong)


def test_a_question_is_kept_as_it_was_asked() -> None:
    draft = QueryDraft.model_validate({"message": "x", "attachments": [{"label": "l", "text": "t"}], "max_cost_usd": 1})
    assert QueryDraft.model_validate_json(draft.model_dump_json()) == draft


def test_a_question_is_running_until_its_fire_has_ended() -> None:
    assert not query().ended
    assert query().as_dict()["status"] == "running"
    assert query(status=FireStatus.OK, report={"status": "planned"}).as_dict()["status"] == "planned"
    assert query().fire_id == fire_id("q") == "query:q:once"


@pytest.mark.parametrize(("status", "word"), [(FireStatus.FAILED, "failed"), (FireStatus.INTERRUPTED, "interrupted")])
def test_a_run_that_ended_without_a_report_still_has_an_outcome(status: FireStatus, word: str) -> None:
    found = query(status=status, error="it broke").outcome()
    assert (found["status"], found["error"], found["run_id"], found["schema"]) == (word, "it broke", "q", "akili.run/1")
