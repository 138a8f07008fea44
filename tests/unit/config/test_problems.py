from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.config.lines import render_path
from akili_cli.config.problems import problems_in
from akili_cli.config.settings import Settings


def problems(data: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(data)
    return {render_path(problem.path): problem.what for problem in problems_in(caught.value)}


def test_all_are_named_at_once() -> None:
    found = problems({"agent": {"max_steps": 0, "max_step": 1}, "memory": {"enabled": "no"}, "gateways": {"slack": {}}})
    assert found == {
        "agent.max_steps": "must be >= 1",
        "agent.max_step": "unknown key; did you mean `max_steps`?",
        "memory.enabled": "must be true or false, not text; write false",
        "gateways.slack": "this version has nothing that reads `gateways.slack` yet; remove it",
    }


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"zzz": 1}, "unknown key; known here: storage, security"),
        ({"tools": {"allowed_paths": []}}, "unknown key here; it belongs in tools.file"),
        ({"max_stepz": 1}, "unknown key; did you mean `max_steps` in agent?"),
        ({"agent": []}, "must be a mapping of keys to values, not a list"),
        ({"security": {"roles": {"": {"max_risk_level": "low"}}}}, "an empty or unreadable name"),
    ],
)
def test_each_is_said_in_the_words_of_the_file(data: dict[str, object], what: str) -> None:
    assert any(text.startswith(what) for text in problems(data).values())
