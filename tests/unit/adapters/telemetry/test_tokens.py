from __future__ import annotations

import pytest

from akili_cli.adapters.telemetry.tokens import (
    Shape,
    headers,
    hide_phrases,
    hide_private_keys,
    hide_shape,
    shown,
    shows_any,
    speaks_of_phrases,
)

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def hidden(text: str) -> str:
    for shape in shown(text):
        text = hide_shape(shape, text)
    return text


def test_only_shapes_whose_sign_shows_are_looked_for() -> None:
    names = {shape.name for shape in shown("AKIAIOSFODNN7EXAMPLQ")}
    assert "aws-access-key" in names
    assert "jwt" not in names
    assert list(shown("nothing to see here")) == []
    assert not shows_any("nothing to see here")


def test_only_the_group_of_a_shape_is_replaced() -> None:
    assert hidden("https://ann:hunter2@host/") == "https://ann:[redacted:url-password]@host/"
    assert hidden("curl -u 1000:1000 http://x") == "curl -u 1000:1000 http://x"
    assert hidden("https://ann:$PASS@host/") == "https://ann:$PASS@host/"


def test_headers_are_looked_for_by_name() -> None:
    assert [shape.name for shape in headers("set-cookie: a=b")] == ["cookie"]
    assert list(headers("nothing")) == []
    shape: Shape = next(iter(headers("authorization")))
    assert hide_shape(shape, "Authorization: Bearer abc\nnext") == "Authorization: [redacted:authorization]\nnext"


def test_key_blocks_end_where_they_end() -> None:
    block = "-----BEGIN EC PRIVATE KEY-----\nAAA\n-----END EC PRIVATE KEY-----"
    assert hide_private_keys(f"a {block} b {block} c") == "a [redacted:private-key] b [redacted:private-key] c"


@pytest.mark.parametrize("between", [" ", "\n", ", ", "\\n"])
def test_the_words_of_a_wallet_are_replaced_where_they_are_spoken_of(between: str) -> None:
    words = between.join(WORDS.split())
    text = f"Write this mnemonic phrase in a safe place.\n\n{words}\n\ndone"
    assert hide_phrases(text) == "Write this mnemonic phrase in a safe place.\n\n[redacted:phrase]\n\ndone"


def test_numbered_words_are_replaced_too() -> None:
    words = " ".join(f"{number}. {word}" for number, word in enumerate(WORDS.split(), 1))
    assert hide_phrases(f"Seed phrase: {words}.") == "Seed phrase: 1. [redacted:phrase]."


def test_words_are_kept_where_nothing_speaks_of_them() -> None:
    assert hide_phrases(WORDS) == WORDS
    assert hide_phrases("the mnemonic was lost, so ask them") == "the mnemonic was lost, so ask them"
    assert speaks_of_phrases("a mnemonic")
    assert not speaks_of_phrases("words")
