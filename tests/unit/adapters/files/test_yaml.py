from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akili_cli.adapters.files.yaml import MAX_BYTES, line_of, load_yaml, load_yaml_with_lines
from akili_cli.domain.errors import ConfigError


def test_a_document_becomes_plain_data() -> None:
    text = "a: 1\nb: [x, 2.5, true, ~]\nc: {d: |\n    e\n }\n"
    assert load_yaml("a: 1\nb: [x, 2.5, true, ~]\nc:\n  d: |\n    e\n", source="t") == {
        "a": 1,
        "b": ["x", 2.5, True, None],
        "c": {"d": "e\n"},
    }
    with pytest.raises(ConfigError, match="t:"):
        load_yaml(text, source="t")


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "---\n", "~"])
def test_nothing_is_none(text: str) -> None:
    assert load_yaml(text, source="t") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("OFF", "OFF"),
        ("y", "y"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0755", "0755"),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("NULL", None),
        ("'true'", "true"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!float 1", 1.0),
        ("=", "="),
        ("\uff11", "\uff11"),
    ],
)
def test_scalars_resolve_as_in_yaml_1_2(text: str, value: object) -> None:
    found = load_yaml(f"a: {text}", source="t")
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


def test_each_key_and_item_has_its_line() -> None:
    data, lines = load_yaml_with_lines("a:\n  b: 1\n\n  c:\n  - x\n  - y: 2\n", "t")
    assert data == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    assert lines["a", "b"] == 2
    assert lines["a", "c", 1, "y"] == 6
    assert line_of(lines, ("a", "c", 0, "nothing", "here")) == 5
    assert line_of({}, ("a",)) is None


def test_an_alias_gives_the_same_value_again() -> None:
    assert load_yaml("a: &x {b: 1}\nc: *x\n", source="t") == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: 1\na: 2", "t:2: duplicate key 'a' \\(first on line 1\\)"),
        ("a: {b: 1,\n b: 2}", "t:2: duplicate key 'b'"),
        ("a: 1\n'a': 2", "duplicate key"),
        ("1: x", "not text"),
        ("true: x", "not text"),
        ("~: x", "not text"),
        ("[a]: x", "a key must be text"),
        ("{a: 1}: x", "a key must be text"),
        ("<<: {a: 1}", "merge keys"),
        ("a: !!python/object/apply:os.system [id]", "not plain data"),
        ("a: !!python/name:os.system", "not plain data"),
        ("a: !x 1", "not plain data"),
        ("a: !!binary aGk=", "not plain data"),
        ("a: !!timestamp 2024-01-01", "not plain data"),
        ("!!set {a}", "not plain data"),
        ("!!omap [a: 1]", "not plain data"),
        ("a: !!int x", "does not fit"),
        ("a: !!bool yes", "does not fit"),
        ("a: .inf", "not a number"),
        ("a: -.INF", "not a number"),
        ("a: .NaN", "not a number"),
        ("a: 1e999", "not a number"),
        ("a: 1" + "0" * 5000, "digits"),
        ("a: [1", "not valid YAML"),
        ("a: b: c", "t:1: not valid YAML"),
        ("a:\n\t- b", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("a: \x1b[2J", "not valid YAML"),
        ("a: '\\", "not valid YAML"),
        ("\ud800", "not valid Unicode"),
        ("--- a\n--- b", "second document"),
        ("a: *x", "names nothing"),
        ("a: &x [*x]", "names nothing"),
        ("&x {a: *x}", "names nothing"),
        ("%YAML 3.0\n---\na", "not valid YAML"),
        ("[" * 60 + "]" * 60, "nested deeper"),
        ("[" * 100_000, "nest"),
        ("{a: " * 60 + "1" + "}" * 60, "nested deeper"),
        ("- " * 1000 + "a", "nested deeper"),
        ("a: &x 1\nb: [" + "*x, " * 101 + "]", "more than 100 aliases"),
        ("a: [" + "x," * 100_001 + "]", "more than 100,000 values"),
        ("a: " + "x" * MAX_BYTES, "larger than 1 MiB"),
        ("é" * (MAX_BYTES // 2 + 1), "larger than 1 MiB"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_not_plain_bounded_data_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_yaml(text, source="t")


def test_aliases_that_multiply_are_counted_as_what_they_expand_to() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match="more than"):
        load_yaml("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *levels]), source="t")


def test_aliases_that_nest_are_counted_as_deep_as_they_expand() -> None:
    levels = [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 90)]
    with pytest.raises(ConfigError, match="nested deeper"):
        load_yaml("\n".join(["a0: &a0 [x]", *levels]), source="t")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{},&*!'\"|>#%?~ \n\t0.1", max_size=60))
def test_any_text_gives_data_or_one_kind_of_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        load_yaml(text, source="t")
