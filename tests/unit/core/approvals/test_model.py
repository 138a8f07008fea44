from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from akili_cli.core.approvals.model import Answer, AnswerKind, ApprovalStatus


def test_the_states_are_these_five() -> None:
    assert [str(state) for state in ApprovalStatus] == ["pending", "approved", "denied", "expired", "consumed"]


def test_there_is_no_answer_that_holds_for_ever() -> None:
    assert {str(kind) for kind in AnswerKind} == {"once", "session", "pattern", "edit", "deny"}


def test_an_answer_cannot_be_changed_afterwards() -> None:
    answer = Answer(AnswerKind.DENY)
    assert answer.feedback == ""
    with pytest.raises(FrozenInstanceError):
        answer.kind = AnswerKind.ONCE  # type: ignore[misc]
