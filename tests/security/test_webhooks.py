from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest

from akili_cli.domain.errors import UnauthorizedError
from akili_cli.features.webhooks.signatures import check_signature, signature_of

CORPUS = Path(__file__).parent / "corpora" / "webhooks.txt"
NOW, SECRET, BODY = 1_771_326_000.0, "9fQ2wLx7ZrT4bVn8", b'{"alert": "disk"}'
CASES = [
    [part.strip(" ") for part in line.split("|", 2)]
    for line in CORPUS.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def mac(key: str, text: bytes, kind: str = "sha256") -> bytes:
    return hmac.digest(key.encode(), text, kind)


def written(header: str) -> str:
    """Give the header that a line of the corpus stands for."""
    found = re.search(r"(?i)\bt=([^,;]*)", header)
    at = found[1] if found else ""
    signed = at.encode() + b"." + BODY
    good = mac(SECRET, signed)
    known = {
        "sig": good.hex(),
        "upper": good.hex().upper(),
        "b64": base64.b64encode(good).decode(),
        "other": mac("another key of somebody", signed).hex(),
        "empty": mac("", signed).hex(),
        "body": mac(SECRET, BODY).hex(),
        "nodot": mac(SECRET, at.encode() + BODY).hex(),
        "sha": hashlib.sha256(signed).hexdigest(),
        "half": good.hex()[:32],
        "longer": good.hex() + "00",
        "sha1": mac(SECRET, signed, "sha1").hex(),
    }
    for name, text in known.items():
        header = header.replace(f"{{{name}}}", text)
    return header.replace("\\n", "\n").replace("\\x20", " ").replace("\\x00", "\x00")


@pytest.mark.parametrize(("verdict", "header", "why"), CASES, ids=[why for _, _, why in CASES])
def test_a_delivery_is_genuine_only_as_its_sender_signed_it(verdict: str, header: str, why: str) -> None:
    text = written(header)
    if verdict == "genuine":
        assert check_signature(text, BODY, SECRET, NOW) == text[-64:], why
        return
    with pytest.raises(UnauthorizedError, match="not from a webhook that is known here"):
        check_signature(text, BODY, SECRET, NOW)


@pytest.mark.parametrize("header", [header for verdict, header, _ in CASES if verdict == "genuine"])
def test_what_is_genuine_is_so_for_one_body_and_one_key(header: str) -> None:
    text = written(header)
    for body, secret in ((BODY + b" ", SECRET), (b"", SECRET), (BODY, SECRET + "x"), (BODY, "")):
        with pytest.raises(UnauthorizedError):
            check_signature(text, body, secret, NOW)


def test_every_byte_of_a_signature_counts() -> None:
    at = str(int(NOW))
    good = signature_of(SECRET, at, BODY)
    for place in range(64):
        other = "0" if good[place] != "0" else "1"
        with pytest.raises(UnauthorizedError):
            check_signature(f"t={at},v1={good[:place]}{other}{good[place + 1 :]}", BODY, SECRET, NOW)
