from __future__ import annotations

import pytest

from akili_cli.features.runbooks.capture import MAX_ROWS, capture_rows, dig, kernel_address
from akili_cli.features.runbooks.model import Capture

DF = (
    "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
    "/dev/sda2         41152736 38210112    829184      98% /\n"
    "/dev/sdb1        103081248 83391220  14410764      86% /srv/data files\n"
)


def rows(text: str, **spec: object) -> list[dict[str, object]]:
    return [dict(row.cells) for row in capture_rows(Capture.model_validate(spec), text)]


def test_a_table_gives_its_surplus_header_words_to_the_last_column() -> None:
    first, second = rows(DF, kind="table")
    assert (first["Mounted on"], first["Capacity"]) == ("/", "98%")
    assert second["Mounted on"] == "/srv/data files"


def test_a_table_may_name_its_columns_itself() -> None:
    assert rows("  3 a message here\n", kind="table", header=False, columns=["count", "message"]) == [
        {"count": "3", "message": "a message here"}
    ]
    assert rows("H1 H2\nx y\n", kind="table", columns=["a", "b"]) == [{"a": "x", "b": "y"}]


@pytest.mark.parametrize("text", ["", "\n\n", "HEADER ONLY\n"])
def test_a_table_without_data_has_no_rows(text: str) -> None:
    assert rows(text, kind="table") == []


def test_lines_and_text() -> None:
    assert rows("a\n\n b \n", kind="lines") == [{"line": "a"}, {"line": "b"}]
    assert rows(" \n", kind="text") == []
    assert rows("a\nb", kind="text") == [{"text": "a\nb", "line": "a\nb"}]


def test_json_is_followed_to_its_rows() -> None:
    text = '{"a": [{"n": 1}, {"n": 2}], "b": "x"}'
    assert rows(text, kind="json", path="a") == [{"n": 1}, {"n": 2}]
    assert rows(text, kind="json", path="b") == [{"value": "x"}]
    assert rows(text, kind="json", path="nothing.here[3]") == []


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "nan nan"])
def test_what_is_not_json_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        rows(text, kind="json")


def test_paths_lead_nowhere_without_an_error() -> None:
    value = {"a": [{"b": 1}]}
    assert dig(value, "a[0].b") == 1
    assert dig(value, "a[9].b") is None
    assert dig(value, "a.b") is None
    assert dig(value, "a[99999999999999]") is None


def test_regex_groups_become_cells_and_absent_groups_are_left_out() -> None:
    assert rows("load 1.5\nload 2", kind="regex", pattern=r"load (?P<n>\d+)(\.(?P<f>\d))?") == [
        {"n": "1", "f": "5"},
        {"n": "2"},
    ]


def test_sockets_of_the_kernel_are_decoded() -> None:
    text = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 20413 1\n"
        "   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n"
        "   2: 0000000000000000FFFF00000100007F:01BB 00000000000000000000000000000000:0000 01 0:0 0:0 0 0 0 1\n"
        "   3: garbage\n"
    )
    found = rows(text, kind="sockets")
    assert [(row["proto"], row["endpoint"], row["state"]) for row in found] == [
        ("tcp", "127.0.0.1:5432", "LISTEN"),
        ("tcp6", "[::1]:22", "LISTEN"),
        ("tcp6", "[::ffff:127.0.0.1]:443", "ESTABLISHED"),
    ]


def test_kernel_addresses_that_are_none_become_a_question_mark() -> None:
    assert kernel_address("010200C0") == "192.0.2.1"
    assert kernel_address("xyz") == kernel_address(None) == "?"


@pytest.mark.parametrize("kind", ["lines", "table", "regex", "json", "sockets"])
def test_rows_have_an_end(kind: str) -> None:
    spec: dict[str, object] = {"kind": kind} | ({"pattern": "(?P<a>x)"} if kind == "regex" else {})
    text = "[" + ",".join(["1"] * 5000) + "]" if kind == "json" else "x y\n" * 5000
    assert len(rows(text, **spec)) <= MAX_ROWS
