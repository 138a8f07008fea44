from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.features.notifications import logic
from akili_cli.features.notifications.model import Delivered, Failed, Message, Retry

PIECES = ["\n", "é", "e\u0301", "😀", "\u200d", "\ufe0f", "👩\u200d👧", "<", "&", "]", "[Part 1/2]\n"]
TEXT = st.lists(
    st.one_of(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), st.sampled_from(PIECES))
).map("".join)


def message(body: str, subject: str = "disk full") -> Message:
    return Message("id", "ops", subject, body, {}, 0.0, 0.0)


def escaped(char: str) -> int:
    return {"&": 5, "<": 4}.get(char, 1)


@given(TEXT, st.integers(2, 60), st.sampled_from([logic.utf16_units, escaped]))
def test_pieces_fit_and_joined_are_the_text(text: str, limit: int, cost: logic.Cost) -> None:
    limit = max(limit, 5)
    pieces = logic.split_text(text, limit, cost)
    assert "".join(pieces) == text
    assert all(sum(map(cost, piece)) <= limit for piece in pieces)
    assert all(pieces) or text == ""
    for piece in pieces:
        piece.encode("utf-16-le")  # half a surrogate pair would fail


@given(TEXT, TEXT)
def test_parts_with_their_marks_fit_and_hold_everything(subject: str, body: str) -> None:
    one = message(logic.clean_body(body) * 3, logic.clean_subject(subject)[:20])
    parts = logic.parts_of(one, 80, logic.utf16_units)
    whole = f"{one.subject}\n\n{one.body}" if one.subject else one.body
    assert all(sum(map(logic.utf16_units, part)) <= 80 for part in parts)
    if len(parts) == 1:
        assert parts == (whole,)
    else:
        marks = [logic.part_mark(at, len(parts)) for at in range(1, len(parts) + 1)]
        assert all(part.startswith(mark) for part, mark in zip(parts, marks, strict=True))
        assert "".join(part.removeprefix(mark) for part, mark in zip(parts, marks, strict=True)) == whole


def test_a_piece_ends_at_a_newline_of_its_second_half() -> None:
    assert logic.split_text("aaaaaaaa\nbbbbbbbb", 10, logic.utf16_units) == ("aaaaaaaa\n", "bbbbbbbb")
    assert logic.split_text("a\nbbbbbbbbbbbbbbbb", 10, logic.utf16_units) == ("a\nbbbbbbbb", "bbbbbbbb")


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301", "👩\u200d👩\u200d👧", "❤\ufe0f", "👍\U0001f3fd"],
    ids=["accent", "family", "variation", "skin"],
)
def test_marks_stay_with_the_character_they_belong_to(cluster: str) -> None:
    for before in range(1, 12):
        text = "x" * before + cluster + "y" * 20
        assert any(cluster in piece for piece in logic.split_text(text, 14, logic.utf16_units))


def test_one_character_beyond_the_limit_still_comes_to_an_end() -> None:
    assert logic.split_text("😀😀", 1, logic.utf16_units) == ("😀", "😀")


def test_the_subject_is_bold_once_and_all_text_is_escaped() -> None:
    one = message("b < c", "a & b")
    parts = logic.parts_of(one, 4000, logic.utf16_units)
    said = logic.with_bold_subject(one, parts, 0, "*{}*".format, lambda t: t.replace("&", "&amp;").replace("<", "&lt;"))
    assert said == "*a &amp; b*\n\nb &lt; c"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nBcc: x@example.test", "a Bcc: x@example.test"),
        ("a\u2028b\x00c\x1b[31m", "a b c [31m"),
        ("\ud800", "\ufffd"),
        ("x" * 300, "x" * 199 + "…"),
        ("  \t ", ""),
    ],
    ids=["header injection", "control", "half a pair", "long", "blank"],
)
def test_a_subject_is_one_clean_line(text: str, clean: str) -> None:
    assert logic.clean_subject(text) == clean


def test_a_body_keeps_lines_and_loses_control_characters() -> None:
    assert logic.clean_body("a\r\nb\rc\td\x00\x1b\ud800") == "a\nb\nc\td\ufffd"
    long = logic.clean_body("x" * 70_000)
    assert len(long) == logic.MAX_BODY_CHARS
    assert long.endswith("the message was longer]")


def test_waiting_grows_and_stays_bounded() -> None:
    assert [logic.backoff_s(tries) for tries in (1, 2, 3)] == [5.0, 20.0, 80.0]
    assert logic.backoff_s(50) == 900.0


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("37", 37.0),
        ("Tue, 17 Feb 2026 12:01:00 GMT", 60.0),
        ("Tue, 17 Feb 2026 11:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("9" * 5000, 999_999_999.0),
    ],
)
def test_retry_after_is_read_or_left(header: str, wait: float | None) -> None:
    assert logic.retry_after_s({"retry-after": header}, 1_771_329_600.0) == wait


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, Delivered), (204, Delivered), (301, Failed), (304, Failed), (400, Failed), (404, Failed), (410, Failed)]
    + [(code, Retry) for code in (408, 425, 429, 500, 502, 503, 599)],
)
def test_only_what_may_pass_is_tried_again(status: int, kind: type) -> None:
    assert isinstance(logic.outcome_of(Posted(status, {}, b"no"), 0.0), kind)


@given(st.binary(max_size=2000))
def test_what_a_service_says_is_quoted_short_and_on_one_line(body: bytes) -> None:
    said = logic.quoted(body)
    assert len(said) <= 512
    assert "\n" not in said
    logic.json_object(body)


def test_deep_json_is_no_answer() -> None:
    assert logic.json_object(b"[" * 100_000) == {}
    assert logic.json_object(b"[1]") == {}
