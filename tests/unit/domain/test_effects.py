from __future__ import annotations

import json

import pytest

from akili_cli.domain.effects import Command, Effects


@pytest.mark.parametrize(
    "effects",
    [
        Effects(writes=("/x",)),
        Effects(deletes=("/x",)),
        Effects(nodes=("n",)),
        Effects(channels=("c",)),
        Effects(opaque="eval"),
    ],
    ids=repr,
)
def test_these_change_something(effects: Effects) -> None:
    assert effects.changes


@pytest.mark.parametrize("effects", [Effects(), Effects(reads=("/x",), hosts=("h:1",), secrets=("s",))], ids=repr)
def test_these_only_look(effects: Effects) -> None:
    assert not effects.changes


def test_what_is_empty_is_left_out_of_the_written_form() -> None:
    effects = Effects(reads=("/x",), commands=(Command("ls", ("ls", "-l")),))
    assert effects.as_dict() == {"reads": ["/x"], "commands": [["ls", "-l"]], "reversible": True}
    assert Effects(reversible=False, opaque="why").as_dict() == {"reversible": False, "opaque": "why"}
    json.dumps(effects.as_dict())
