from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.features.keys.model import ApiKey, KeyDraft, hash_of, new_salt, new_token, parse_token

KEY = ApiKey(
    id="0a1b2c3d", org="default", user="ann", role="", name="", salt="00", hash="ff", created_at=0.0, expires_at=100.0
)


def test_a_token_reads_back_and_shows_nothing_by_itself() -> None:
    token = new_token()
    assert parse_token(str(token)) == token
    assert token.secret not in repr(token)
    assert new_token() != token


@pytest.mark.parametrize(
    "text",
    [
        "",
        "akili_",
        "akili_0a1b2c3d_",
        "akili_0a1b2c3d_" + "a" * 42,
        "akili_0a1b2c3d_" + "a" * 44,
        "akili_0A1B2C3D_" + "a" * 43,
        "akili_0a1b2c3d_" + "a" * 42 + "=",
        "akili_0a1b2c3d_" + "a" * 43 + "\n",
        "akili_0a1b2c3d_" + "a" * 42 + "\x00",
        "akili_\u0661a1b2c3d_" + "a" * 43,
        "Akili_0a1b2c3d_" + "a" * 43,
    ],
)
def test_any_other_text_is_no_token(text: str) -> None:
    assert parse_token(text) is None


def test_a_hash_is_scrypt_with_the_salt() -> None:
    salt = new_salt()
    assert len(bytes.fromhex(salt)) == 16
    assert hash_of("x", salt) == hash_of("x", salt) != hash_of("x", new_salt())
    assert len(bytes.fromhex(hash_of("x", salt))) == 64


@pytest.mark.parametrize(
    ("revoked_at", "now", "status"), [(None, 99.0, "active"), (None, 100.0, "expired"), (50.0, 51.0, "revoked")]
)
def test_what_is_shown_says_how_it_stands_and_not_the_hash(revoked_at: float | None, now: float, status: str) -> None:
    from dataclasses import replace

    told = replace(KEY, revoked_at=revoked_at).as_dict(now)
    assert told["status"] == status
    assert told["expires_at"] == "1970-01-01T00:01:40.000Z"
    assert not {"salt", "hash", "org", "role", "name"} & told.keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": ""},
        {"user": "a\nb"},
        {"role": ""},
        {"expires_in_s": 0},
        {"expires_in_s": 1e12},
        {"name": "\x00"},
        {"extra": 1},
    ],
)
def test_a_draft_that_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KeyDraft.model_validate({"user": "ann", **wrong})
