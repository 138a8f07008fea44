from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akili_cli.adapters.files.strict_json import load_json_with_lines
from akili_cli.domain.errors import ConfigError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def test_each_key_and_item_has_its_line() -> None:
    text = '{"a": 1,\n "b": [1,\n  {"c": "x\\n,{\\"]"}, [],\n  {}],\n"d": {"e": null}}'
    data, lines = load_json_with_lines(text, "t")
    assert data == json.loads(text)
    assert lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 2,
        ("b", 1): 3,
        ("b", 1, "c"): 3,
        ("b", 2): 3,
        ("b", 3): 4,
        ("d",): 5,
        ("d", "e"): 5,
    }


@pytest.mark.parametrize("text", ["", " \n "])
def test_nothing_is_none(text: str) -> None:
    assert load_json_with_lines(text, "t") == (None, {})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1,\n"a": 2}', "t:2: duplicate key 'a' \\(first on line 1\\)"),
        ('{"a": 1, "\\u0061": 2}', "duplicate key 'a'"),
        ('[{"b": {"x": 1, "x": 1}}]', "duplicate key 'x'"),
        ("[NaN]", "NaN is not a number"),
        ("[Infinity]", "Infinity is not a number"),
        ("[-Infinity]", "not a number"),
        ("[1e999]", "not a number"),
        ("[1" + "0" * 5000 + "]", "digits"),
        ('["\\ud800"]', "half a surrogate pair"),
        ('{"\\udc00": 1}', "half a surrogate pair"),
        ("{'a': 1}", "t:1: not valid JSON"),
        ("[1,]", "not valid JSON"),
        ("{} x", "not valid JSON"),
        ('{"a":\n', "t:2: not valid JSON"),
        ("// x\n{}", "not valid JSON"),
        ('["a\tb"]', "not valid JSON"),
        ("[" * 60 + "]" * 60, "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ("[" + "1," * 100_001 + "1]", "more than 100,000 values"),
        (" " * (1 << 20) + "1", "larger than 1 MiB"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_not_strict_bounded_json_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_json_with_lines(text, "t")


@settings(max_examples=200, deadline=None)
@given(VALUES, st.sampled_from([None, 1]))
def test_whatever_json_writes_is_read_back_with_a_line_for_each_place(value: object, indent: int | None) -> None:
    data, lines = load_json_with_lines(json.dumps(value, indent=indent), "t")
    assert data == value
    assert lines[()] == 1
