from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akili_cli.adapters.telemetry.redact import Redactor
from tests.security.hostile import HOSTILE

CORPUS = Path(__file__).parent / "corpora" / "secrets.txt"
CASES = [line.split("\t") for line in CORPUS.read_text().splitlines()]
SECRET = 'Tr0ub4dor&3/"horse'


def registered() -> Redactor:
    redactor = Redactor()
    redactor.register(SECRET, "db")
    return redactor


@pytest.mark.parametrize(("text", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_corpus_line_is_treated_as_its_verdict_says(text: str, verdict: str) -> None:
    redactor = Redactor()
    for written in (text, text.replace("\\n", "\n"), f"see {text} .", json.dumps({"output": text})):
        clean = redactor.text(written)
        assert (clean != written) == (verdict == "redacted"), clean
        assert redactor.text(clean) == clean


def in_base64(lead: int, encode: object) -> str:
    return encode(b"x" * lead + SECRET.encode() + b"tail").decode()  # type: ignore[operator, no-any-return] # a codec


WRITTEN = {
    "raw": SECRET,
    "upper case": SECRET.upper(),
    "lower case": SECRET.lower(),
    "hex": SECRET.encode().hex(),
    "hex upper case": SECRET.encode().hex().upper(),
    "hex dump": SECRET.encode().hex(" ", 2),
    "hex escapes": "".join(f"\\x{byte:02x}" for byte in SECRET.encode()),
    "percent": quote(SECRET, safe=""),
    "percent, slash kept": quote(SECRET),
    "percent lower case": quote(SECRET, safe="").lower(),
    "percent everywhere": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    "form": quote_plus(SECRET),
    "json": json.dumps(SECRET),
    "json in json": json.dumps(json.dumps(SECRET)),
    "html": html.escape(SECRET),
    "unpadded": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    **{f"base64 shifted by {n}": in_base64(n, base64.b64encode) for n in range(4)},
    **{f"url-safe base64 shifted by {n}": in_base64(n, base64.urlsafe_b64encode) for n in range(4)},
    "wrapped base64": base64.encodebytes(b"y" * 50 + SECRET.encode() + b"z" * 60).decode(),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_registered_value_is_found_however_it_is_written(written: str) -> None:
    redactor = registered()
    for text in (written, f"before {written} after", f"a={written}\n"):
        clean = redactor.text(text)
        assert "[redacted:db]" in clean
        assert SECRET.lower() not in clean.lower()
        assert redactor.text(clean) == clean
    assert redactor.suspicious(json.dumps({"output": written}))


@pytest.mark.parametrize("text", [case[1] for case in CASES if case[2] == "redacted"])
def test_streamed_in_any_pieces_nothing_leaks(text: str) -> None:
    lines = text.replace("\\n", "\n")
    whole = f"some words first, then {lines}\nand then a few more words at the end\n"
    redactor = Redactor()
    expected = redactor.text(whole)
    for size in (1, 3, 7, 64):
        stream = redactor.stream()
        pieces = [stream.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
        assert "".join([*pieces, stream.flush()]) == expected


def test_streamed_registered_value_with_spaces_is_held_until_it_is_whole() -> None:
    redactor = Redactor()
    redactor.register("correct horse battery staple and more", "phrase")
    whole = "it is correct horse battery staple and more indeed, as everyone knows by now"
    stream = redactor.stream()
    shown = "".join([*(stream.feed(char) for char in whole), stream.flush()])
    assert shown == "it is [redacted:phrase] indeed, as everyone knows by now"


def test_stream_shows_plain_text_while_it_arrives() -> None:
    stream = Redactor().stream()
    assert stream.feed("The disk of the host is almost full and ") == "The disk of the host is "


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(JSON_LIKE)
def test_any_data_is_redacted_twice_to_the_same_json(value: object) -> None:
    redactor = registered()
    clean = redactor.value(value)
    json.dumps(clean, allow_nan=False)
    assert redactor.value(clean) == clean


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ak-_:=\"'\\ \nAKIA0123[redacted:db]password", max_size=80))
def test_any_text_is_redacted_twice_to_the_same_text(text: str) -> None:
    redactor = registered()
    clean = redactor.text(text)
    assert redactor.text(clean) == clean


@settings(deadline=None, max_examples=100)
@given(st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_any_registered_value_is_gone_from_any_text(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.register(secret, "it")
    clean = redactor.text(before + secret + after)
    assert secret not in clean or secret in "[redacted:it]"


def hostile(unit: str, chars: int) -> str:
    return (unit * (chars // len(unit) + 1))[:chars]


def to_be_found() -> Redactor:
    redactor = Redactor()
    for secret in ("aaaaaaab", "correct horse battery", "password=password", r"\u0041\u0041", "0x0x0x0x", "====aaaa"):
        redactor.register(secret, "it")
    return redactor


@pytest.mark.timeout(120)
@pytest.mark.parametrize("known", [Redactor(), to_be_found()], ids=["no values", "values"])
@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_ends(unit: str, known: Redactor) -> None:
    text = hostile(unit, 1 << 18)
    clean = known.text(text)
    known.holds_registered(text)
    assert clean


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", ["a", "=", "aB3d", "-----BEGIN", '"', "\\", "'", "%25"])
def test_a_whole_mebibyte_of_hostile_text_ends(unit: str) -> None:
    assert to_be_found().text(hostile(unit, 1 << 20))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_stream_ends(unit: str) -> None:
    text = hostile(unit, 1 << 14)
    stream = to_be_found().stream()
    shown = "".join([*(stream.feed(text[at : at + 512]) for at in range(0, len(text), 512)), stream.flush()])
    assert shown
