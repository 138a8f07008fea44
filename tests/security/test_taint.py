"""Registered values in every form they may travel in, and texts that only look like them."""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from akili_cli.adapters.telemetry.redact import Redactor

CORPORA = Path(__file__).parent / "corpora"
SECRETS = [json.loads(line) for line in (CORPORA / "registered.txt").read_text().splitlines()]
LOOKALIKES = (CORPORA / "lookalikes.txt").read_text().splitlines()


def in_base64(secret: str, lead: int, encode: Callable[[bytes], bytes]) -> str:
    return encode(b"\xfbx\xff"[:lead] + secret.encode() + b"tail\xff").decode()


def some(encode: Callable[[str], str]) -> Callable[[str], str]:
    """Encode every second character, and leave the others as they are."""
    return lambda s: "".join(encode(char) if at % 2 else char for at, char in enumerate(s))


def every(encode: Callable[[str], str]) -> Callable[[str], str]:
    return lambda s: "".join(map(encode, s))


def octets(form: str) -> Callable[[str], str]:
    return lambda char: "".join(form.format(octet) for octet in char.encode())


def units(char: str) -> str:
    raw = char.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


def lines(text: str, length: int, end: str = "\n") -> str:
    return end.join(text[at : at + length] for at in range(0, len(text), length))


def dump(secret: str, form: str, size: int) -> str:
    raw = secret.encode()
    rows = range(0, len(raw), 16)
    return "\n" + "".join(form.format(at, raw[at : at + 16].hex(" ", size)) for at in rows)


def in_both(secret: str) -> str:
    return base64.b64encode(base64.b64encode(secret.encode())).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "upper": str.upper,
    "lower": str.lower,
    "swapped": str.swapcase,
    "hex": lambda s: s.encode().hex(),
    "hex upper": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex dump": lambda s: s.encode().hex(" ", 2),
    "url": lambda s: quote(s, safe=""),
    "url path": quote,
    "url lower": lambda s: quote(s, safe="").lower(),
    "url twice": lambda s: quote(quote(s, safe=""), safe=""),
    "form": quote_plus,
    "json": json.dumps,
    "json raw": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "json with slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    **{f"base64 at {n}": lambda s, n=n: in_base64(s, n, base64.b64encode) for n in range(3)},  # type: ignore[misc]
    **{f"url-safe base64 at {n}": lambda s, n=n: in_base64(s, n, base64.urlsafe_b64encode) for n in range(3)},  # type: ignore[misc]
    "base64 alone": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "base64 in lines": lambda s: base64.encodebytes(b"y" * 50 + s.encode() + b"z" * 60).decode(),
    "base64 in short lines": lambda s: lines(in_base64(s, 2, base64.b64encode), 8, "\r\n"),
    "base64 in a url": lambda s: quote(base64.b64encode(s.encode()), safe=""),
    "base64 twice": in_both,
    "base64 of json": lambda s: base64.b64encode(json.dumps({"p": s}).encode()).decode(),
    "base64 of basic auth": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "base64 of utf-16": lambda s: base64.b64encode(f"x{s}y".encode("utf-16-le")).decode(),
    "base32": lambda s: base64.b32encode(b"x" + s.encode()).decode(),
    "hex of utf-16": lambda s: s.encode("utf-16-le").hex(),
    **{f"hex with {sep!r}": lambda s, sep=sep: s.encode().hex(sep) for sep in ".-_;|,"},  # type: ignore[misc]
    "hex list": lambda s: ", ".join(f"0x{octet:02x}" for octet in s.encode()),
    "hex dump with offsets": lambda s: dump(s, "{:08x}: {:<39}  ................\n", 2),
    "hex dump of octets": lambda s: dump(s, "{:08x}  {:<48} |................|\n", 1),
    "list of numbers": lambda s: json.dumps(list(s.encode())),
    "numbers": lambda s: " ".join(map(str, s.encode())),
    "percent, some": some(octets("%{:02X}")),
    "percent, all": every(octets("%{:02x}")),
    "percent twice, some": some(octets("%25{:02x}")),
    "json escapes, some": some(units),
    "json escapes, all": every(units),
    "json escapes in json": lambda s: json.dumps(some(units)(s)),
    "long escapes": every(lambda char: f"\\U{ord(char):08x}"),
    "braced escapes": every(lambda char: f"\\u{{{ord(char):x}}}"),
    "hex escapes": every(octets("\\x{:02x}")),
    "octal escapes": every(octets("\\{:03o}")),
    "bytes literal": lambda s: repr(s.encode()),
    "html": html.escape,
    "html twice": lambda s: html.escape(html.escape(s)),
    "html numbers": every(lambda char: f"&#{ord(char)};"),
    "html hex numbers, some": some(lambda char: f"&#x{ord(char):X};"),
    "quoted-printable": lambda s: quopri.encodestring(s.encode(), quotetabs=True).decode(),
    "quoted-printable in lines": lambda s: quopri.encodestring(f"{'y' * 70}{s}{'z' * 80}".encode()).decode(),
    "quoted-printable, all": every(octets("={:02X}")),
    "coloured": lambda s: f"{s[:3]}\x1b[01;31m\x1b[K{s[3:]}\x1b[m",
    "with nothing visible between": "\u200b".join,
    "in two lines of a shell": lambda s: f"{s[:4]}\\\n{s[4:]}",
    "sql": lambda s: "'" + s.replace("'", "''") + "'",
    "csv": lambda s: '"' + s.replace('"', '""') + '"',
}


@pytest.fixture(scope="module")
def everything() -> Redactor:
    redactor = Redactor()
    for number, secret in enumerate(SECRETS):
        redactor.register(secret, f"s{number}")
    redactor.text("x" * 100)
    return redactor


def test_the_corpora_are_large_enough() -> None:
    assert len(SECRETS) >= 60
    assert len(LOOKALIKES) >= 40


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_secret_is_found_in_every_form(everything: Redactor, form: Callable[[str], str]) -> None:
    for secret in SECRETS:
        written = form(secret)
        for text in (written, f"log line with {written} and more words after it\n", f"x={written};y"):
            clean = everything.text(text)
            assert "[redacted:s" in clean, (secret, text)
            assert written not in clean, (secret, text)
            assert everything.suspicious(text)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("size", [1, 5])
def test_every_form_split_over_chunks_never_leaks(form: Callable[[str], str], size: int) -> None:
    for secret in SECRETS[::8]:
        redactor = Redactor()
        redactor.register(secret, "it")
        whole = f"first some words\nthen {form(secret)} and a few more words at the end of it all\n"
        stream = redactor.stream()
        pieces = [stream.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
        shown = "".join([*pieces, stream.flush()])
        assert shown == redactor.text(whole)
        assert "[redacted:it" in shown


def test_lookalikes_survive_sixty_registered_secrets(everything: Redactor) -> None:
    kept = [line for line in LOOKALIKES if everything.text(line) == line]
    assert kept == LOOKALIKES


def test_a_long_text_is_searched_like_a_short_one(everything: Redactor) -> None:
    noise = "\n".join(LOOKALIKES) * 2
    for number, secret in enumerate(SECRETS[::3]):
        clean = everything.text(f"{noise}\n{'odd' * (number % 4)} {secret} end")
        assert secret not in clean


def test_sealed_data_is_clean_and_comes_back_exactly(everything: Redactor) -> None:
    value = {"command": f"psql 'password={SECRETS[4]}'", "list": [SECRETS[5], 1, None], SECRETS[6]: True}
    sealed = everything.seal(value)
    for secret in SECRETS[4:7]:
        assert secret not in json.dumps(sealed, ensure_ascii=False)
    assert everything.unseal(sealed) == value
    assert Redactor().unseal(sealed) == sealed


def test_values_of_one_name_are_sealed_apart() -> None:
    redactor = Redactor()
    for part in ("first-value", "second-value"):
        redactor.register(part, "env://DB")
    value = ["first-value", "second-value second-value"]
    assert redactor.unseal(redactor.seal(value)) == value


def test_a_pattern_hides_its_group_alone() -> None:
    import re

    redactor = Redactor()
    redactor.register_pattern(re.compile(r"badge (\d+)"), "badge")
    assert redactor.text("the badge 12345 is lost") == "the badge [redacted:badge] is lost"
    assert redactor.suspicious("anything")
