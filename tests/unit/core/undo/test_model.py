from __future__ import annotations

import json

import pytest

from akili_cli.core.undo.model import UndoEntry, UndoState, new_entry_id

WHO = {"id": "1", "org": "o", "user": "u", "host": "h", "tool": "t", "run_id": "", "call_id": "", "audit_id": ""}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, UndoState.UNFINISHED),
        ({"finished_at": 2.0}, UndoState.READY),
        ({"finished_at": 2.0, "why_not": "too large"}, UndoState.NOT_KEPT),
        ({"finished_at": 2.0, "undone_at": 3.0}, UndoState.UNDONE),
    ],
    ids=["unfinished", "ready", "not kept", "undone"],
)
def test_the_state_follows_from_what_is_known(said: dict[str, object], state: UndoState) -> None:
    entry = UndoEntry(**WHO, path="/x", at=1.0, **said)  # type: ignore[arg-type] # a test names real fields
    assert entry.state is state
    assert json.loads(json.dumps(entry.as_dict()))["state"] == str(state)


def test_ids_differ_and_are_short() -> None:
    assert len({new_entry_id() for _ in range(100)}) == 100
    assert len(new_entry_id()) == 16
