from __future__ import annotations

import pytest

from akili_cli.adapters.telemetry.escapes import views


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a%70%61b", "apab"),
        ("a%2570b", "apb"),
        ("a%25252570b", "apb"),
        ("100%25sure", "100%sure"),
        ("%C3%BCber", "über"),
        ("%FCber", "über"),
        (r"\u0070\x61\141", "paa"),
        (r"\\u0070\\\\x61", "pa"),
        (r"\u{70}\U00000061", "pa"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"a\/b\"c\\\"d", 'a/b"c"d'),
        ("a\\\nb", "ab"),
        ("&#112;&#x61;&amp;&lt;", "pa&<"),
        ("p\x1b[01;31mas\x1b[m\x1b[Ks", "pass"),
        ("p\x00a\x00s\x00s\x00", "pass"),
        ("p\u200ba\u00ads\ufeffs", "pass"),
        ("a=3Db=\nc=\r\nd", "a=bcd"),
        ("=70=61=73", "pas"),
        (r"%5Cu0070", "p"),
    ],
)
def test_what_is_escaped_is_read(text: str, read: str) -> None:
    assert read in [view.text for view in views(text)]


@pytest.mark.parametrize("text", ["plain words", "5 % of 100%", "a=b&c=d", "x = 20", "C:", "&&", ""])
def test_what_is_not_escaped_has_no_other_reading(text: str) -> None:
    assert [view.text for view in views(text)] == []


@pytest.mark.parametrize(
    "text", ["xx p%61ss yy", r"xx p\u0061ss yy", "xx p%2561ss yy", r"xx p%5Cu0061ss yy", "xx p=61=73s yy"]
)
def test_the_source_of_a_piece_is_found_through_every_level(text: str) -> None:
    for view in views(text):
        if "pass" in view.text:
            at = view.text.index("pass")
            start, end = view.source(at, at + 4)
            assert text[start:end] == text[3:-3]
            return
    pytest.fail("not read")


def test_the_source_takes_whole_runs_of_escapes_only() -> None:
    (view,) = views("ab%63%64ef")
    assert view.text == "abcdef"
    assert view.source(0, 2) == (0, 2)
    assert view.source(2, 3) == (2, 8)
    assert view.source(5, 6) == (9, 10)
