from __future__ import annotations

from akili_cli.config.tree import copy_mapping, pick, put_at, replace_at, value_at


def test_a_pattern_picks_through_mappings_and_lists() -> None:
    data = {"a": {"x": [1, 2], "y": "text"}, "b": 3}
    assert pick(data, "a.*.*") == [(("a", "x", 0), 1), (("a", "x", 1), 2)]
    assert pick(data, "nothing.*") == []
    assert pick(None, "a") == []


def test_values_are_found_and_replaced_only_where_they_are() -> None:
    data: dict[str, object] = {"a": {"b": [1]}}
    replace_at(data, ("a", "b", 0), 2)
    replace_at(data, ("a", "b", 5), 2)
    replace_at(data, ("a", "c"), 2)
    replace_at(data, ("x", "y"), 2)
    assert data == {"a": {"b": [2]}}
    assert value_at(data, ("a", "b")) == [2]
    assert value_at(data, ("a", "b", "c")) is None


def test_a_value_is_put_unless_something_else_stands_there() -> None:
    data: dict[str, object] = {"a": 1}
    assert put_at(data, ("b", "c"), 2)
    assert not put_at(data, ("a", "c"), 2)
    assert data == {"a": 1, "b": {"c": 2}}


def test_a_copy_shares_nothing() -> None:
    shared = [1]
    data = copy_mapping({"a": shared, "b": {"c": shared}})
    assert data == {"a": [1], "b": {"c": [1]}}
    assert data["a"] is not shared
