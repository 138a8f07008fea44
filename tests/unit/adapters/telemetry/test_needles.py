from __future__ import annotations

import pytest

from akili_cli.adapters.telemetry.needles import Needle, Needles, dense_of, needles_of

SECRET = "Tr0ub4dor-and-3"


def test_a_text_is_searched_by_pieces_and_directly_alike() -> None:
    index = Needles.of(needles_of(SECRET, "db"))
    for lead in range(9):
        for noise in ("", "n" * 500):
            text = f"{noise}{'x' * lead}{SECRET.lower()}{noise}"
            assert SECRET.lower() in {needle.low for needle in index.found_in(text)}
    assert index.found_in("n" * 500) == []


def test_the_longest_needle_comes_first() -> None:
    index = Needles.of([Needle("abcdef", "short", loose=False), Needle("abcdefgh", "long", loose=False)])
    assert [needle.name for needle in index.found_in("abcdefgh")] == ["long", "short"]


def test_dumps_are_made_dense() -> None:
    assert dense_of("48 65:6c,6c-6f") == "48656c6c6f"
    assert dense_of(r"\x48\x65 0x6c") == "48656c"


@pytest.mark.parametrize(
    ("text", "held"),
    [("it is correct hor", 11), ("it is 54 72 30 75", 11), ("nothing like it", 0), ("", 0)],
)
def test_the_beginning_of_a_value_that_spans_words_is_held(text: str, held: int) -> None:
    index = Needles.of([*needles_of("correct horse battery", "a"), *needles_of("Tr0ub4dor", "b")])
    assert index.held_chars(text) == held
