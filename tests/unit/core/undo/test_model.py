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


@pytest.mark.parametrize(
    ("said", "obstacle"),
    [
        ({}, "akili stopped while git_write was at work"),
        ({"finished_at": 2.0}, ""),
        ({"finished_at": 2.0, "why_not": "too large"}, "too large"),
        ({"finished_at": 2.0, "undone_at": 3.0}, "undone already"),
    ],
    ids=["unfinished", "ready", "not kept", "undone"],
)
def test_what_stands_in_the_way_is_said(said: dict[str, object], obstacle: str) -> None:
    entry = UndoEntry(**{**WHO, "tool": "git_write"}, path="/x", at=1.0, **said)  # type: ignore[arg-type] # real fields
    assert (entry.obstacle, entry.as_dict()["obstacle"], entry.restored_by) == (obstacle, obstacle, "git_restore")


def test_files_and_repositories_are_restored_by_tools_of_their_own() -> None:
    tools = ("file_write", "file_restore", "git_write", "git_restore")
    found = [UndoEntry(**{**WHO, "tool": tool}, path="/x", at=1.0).restored_by for tool in tools]
    assert found == ["file_restore", "file_restore", "git_restore", "git_restore"]
