from __future__ import annotations

import hashlib
import secrets

import pytest

from akili_cli.gateways.http.weak import is_digest, is_reference, weakness


@pytest.mark.parametrize(
    "key",
    [
        "tiny-key",
        "k7Qz9mTr4Lw2Vx8",
        "changeme-changeme-1",
        "CHANGE_ME_PLEASE_NOW",
        "your-api-key",
        "your-api-key-goes-here",
        "sk-abcdefxxxxxxxxxxxx",
        "sk-proj-....xxxx....",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabcabc",
        "test-test-test-test-test",
        "test-api-key-secret-token",
        "<paste your key here>",
        "${AKILI_KEY_OF_ANN_1}",
        "0123456789abcdef01",
        "this key has spaces in it 8271",
        "k7Qz9mTr4Lw2Vx8Np3é",
        "k7Qz9mTr4Lw2\x00Vx8Np3",
        "sha256:1234",
        "sha256:" + "A" * 64,
    ],
)
def test_a_key_that_anybody_could_guess_is_refused_without_being_shown(key: str) -> None:
    what = weakness(key)
    assert what
    assert key not in what


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_keys_that_were_drawn_are_good(make: object) -> None:
    assert [key for key in (make(24) for _ in range(200)) if weakness(key)] == []  # type: ignore[operator]


def test_digests_and_references_are_told_from_keys() -> None:
    assert is_digest("sha256:" + hashlib.sha256(b"x").hexdigest())
    assert not is_digest("sha256:" + "g" * 64)
    assert is_reference("env://AKILI_KEY_OF_ANN")
    assert not is_reference("k7Qz9mTr4Lw2Vx8Np3")
