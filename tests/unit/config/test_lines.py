from __future__ import annotations

from akili_cli.config.lines import Origins, children, origins_in, render_path
from akili_cli.domain.decisions import Origin


def test_a_path_is_written_as_people_do() -> None:
    assert render_path(("policies", "rules", 0, "id")) == "policies.rules[0].id"
    assert render_path(("security", "user_roles", "a.b@c")) == "security.user_roles.'a.b@c'"
    assert render_path(("\x1b[2J",)) == "'\\x1b[2J'"
    assert render_path(()) == "(the whole file)"


def test_an_origin_is_the_nearest_one_around() -> None:
    origins = Origins({("a",): Origin("f", 1), ("a", "b", 0): Origin("f", 3)})
    assert origins.of("a.b[0]") == Origin("f", 3)
    assert origins.of("a.b[0].c") == Origin("f", 3)
    assert origins.of("a.b[1]") == Origin("f", 1)
    assert origins.at(("a", "x", "y")) == Origin("f", 1)
    assert str(origins.of("z")) == str(origins.at(("z",))) == "default"


def test_every_key_and_item_of_a_file_has_an_origin() -> None:
    found = origins_in({"a": {"b": [1]}}, {(): 1, ("a",): 2, ("a", "b"): 3}, "f")
    assert found == {("a",): Origin("f", 2), ("a", "b"): Origin("f", 3), ("a", "b", 0): Origin("f", 3)}


def test_scalars_have_no_children() -> None:
    assert list(children("text")) == []
    assert list(children([7])) == [(0, 7)]
