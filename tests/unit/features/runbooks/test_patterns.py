from __future__ import annotations

import re
import time

import pytest

from akili_cli.features.runbooks.patterns import MAX_LINE, MAX_TEXT, bounded, check_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?P<a>\d+)\s+(?P<b>\S+)",
        r"(?i)out of memory|oom",
        r"^(?P<a>\S+) (?P<b>install|remove) (?P<c>[^ :]+)",
        r"[^\n]+\n",
        r"(ab|cd)",
        r"(?:\s\d)?x",
        r"a{2,4}",
        r"[)+(]+",
    ],
)
def test_ordinary_patterns_are_used_as_written(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(?:a|aa)+$",
        "((a+))*",
        "(x(y|z))+",
        "(a*){2,}",
        r"(\d+,)+x",
        ".*.*.*.*x",
        r"(a)\1",
        r"(?P<q>a)(?P=q)",
        "(unclosed",
        "",
        "a" * 401,
        "[" * 50,
        "a{99999999999}",
    ],
)
def test_what_could_blow_up_or_does_not_compile_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_pattern(pattern)


def test_the_text_that_patterns_run_on_is_cut_to_size() -> None:
    text = bounded("x" * (MAX_TEXT * 3))
    assert len(text) == MAX_LINE
    assert len(bounded("y\n" * MAX_TEXT)) <= MAX_TEXT


@pytest.mark.parametrize(
    "pattern",
    [
        r"\w+\s*\w+!",
        r".*a.*b",
        r"\d*\d*x",
        r"^.*a.*b.*c",
        r"(a?)+b?\w*\w*",
        r"(?=a)b",
        r"(?s).*",
        r"(?P<a>x+)?x*x*y",
        r"(ab?|\w*)\w*\w",
        r"x{0,500}x{0,500}y",
        r"^a*|b*c*d*e",
    ],
)
def test_repeats_that_can_take_each_others_characters_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"^.*a.*b", r"\s+x", r"\w+!", r"[^!]*!", r"(?i)xfs.*corrupt", r"a*?b"])
@pytest.mark.parametrize("text", ["a1", "\n", " ", "a", "xfs"])
def test_the_slowest_allowed_patterns_end_soon_on_hostile_text(pattern: str, text: str) -> None:
    check_pattern(pattern)
    start = time.monotonic()
    list(re.finditer(pattern, bounded(text * 20_000), re.MULTILINE))
    assert time.monotonic() - start < 5
