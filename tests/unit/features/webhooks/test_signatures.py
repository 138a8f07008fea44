from __future__ import annotations

import pytest

from akili_cli.domain.errors import UnauthorizedError
from akili_cli.features.webhooks.signatures import WINDOW_S, check_signature, check_token, signature_of

NOW, SECRET, BODY = 1_771_326_000.0, "9fQ2wLx7ZrT4bVn8", b'{"a": 1}'


def header(at: float = NOW, secret: str = SECRET, body: bytes = BODY) -> str:
    return f"t={int(at)},v1={signature_of(secret, str(int(at)), body)}"


@pytest.mark.parametrize("off", [0, WINDOW_S, -WINDOW_S])
def test_a_delivery_signed_within_the_window_is_genuine(off: int) -> None:
    assert check_signature(header(NOW + off), BODY, SECRET, NOW) == header(NOW + off)[-64:]


@pytest.mark.parametrize("off", [WINDOW_S + 1, -WINDOW_S - 1, 10**9])
def test_one_from_the_past_or_the_future_is_not(off: int) -> None:
    with pytest.raises(UnauthorizedError):
        check_signature(header(NOW + off), BODY, SECRET, NOW)


def test_another_body_another_key_or_another_time_is_not() -> None:
    for given, body in (
        (header(), BODY + b" "),
        (header(secret="another key of somebody"), BODY),
        (header().replace(f"t={int(NOW)}", f"t={int(NOW) + 1}"), BODY),
    ):
        with pytest.raises(UnauthorizedError):
            check_signature(given, body, SECRET, NOW)


def test_an_empty_secret_opens_nothing() -> None:
    with pytest.raises(ValueError, match="signs nothing"):
        signature_of("", "1", BODY)
    with pytest.raises(UnauthorizedError):
        check_signature(header(), BODY, "", NOW)
    for token in ("Bearer ", "Bearer", ""):
        with pytest.raises(UnauthorizedError):
            check_token(token, "")


def test_a_token_must_be_the_whole_secret_as_a_bearer() -> None:
    check_token(f"Bearer {SECRET}", SECRET)
    check_token(f"bearer {SECRET}", SECRET)
    for given in (None, SECRET, f"Basic {SECRET}", f"Bearer {SECRET} ", f"Bearer  {SECRET}", f"Bearer {SECRET[:-1]}"):
        with pytest.raises(UnauthorizedError):
            check_token(given, SECRET)
