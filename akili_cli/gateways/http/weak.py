"""Tells keys that anybody could guess from keys that somebody made."""

from __future__ import annotations

import re

MIN_KEY_CHARS = 16
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_BARE = re.compile(r"[^a-z0-9]+")
_SAMPLES = (
    "changeme",
    "changethis",
    "yourapikey",
    "yourkey",
    "yoursecret",
    "yourtoken",
    "apikeyhere",
    "keygoeshere",
    "devkey",
    "testkey",
    "samplekey",
    "demokey",
    "dummy",
    "placeholder",
    "example",
    "replaceme",
    "insertkey",
    "password",
    "secretkey",
    "mysecret",
    "topsecret",
    "qwerty",
    "letmein",
    "0123456789",
    "1234567890",
    "abcdefgh",
    "deadbeef",
)
_WORDS = frozenset({"test", "tests", "testing", "key", "api", "secret", "token", "dev", "demo", "sample", "foo", "bar"})
_FILLER = re.compile(r"x{4,}|\*{3,}|\.{3,}|<[^>]*>|\$\{|\{\{")
_MIN_DIFFERENT = 6
_WORD = re.compile(r"[a-z]+")


def is_reference(key: str) -> bool:
    """Tell whether a text refers to a key that is kept elsewhere (``env://NAME``)."""
    return _SCHEME.match(key) is not None


def is_digest(key: str) -> bool:
    """Tell whether a text is the SHA-256 of a key, as ``sha256:<hex>``."""
    return _DIGEST.fullmatch(key) is not None


def weakness(key: str) -> str | None:
    """Say why a key must not open anything (``is too short``), or nothing; the key itself is never shown."""
    low = key.lower()
    bare = _BARE.sub("", low)
    if low.startswith("sha256:"):
        return "is no SHA-256: after sha256: come 64 small hex digits"
    if len(key) < MIN_KEY_CHARS:
        return f"is shorter than {MIN_KEY_CHARS} characters"
    if not (key.isascii() and key.isprintable()) or any(char.isspace() for char in key):
        return "holds characters that no header can carry"
    words = _WORD.findall(low)
    if _FILLER.search(low) or any(sample in bare for sample in _SAMPLES) or (words and set(words) <= _WORDS):
        return "looks like an example out of a manual"
    if len(set(key)) < _MIN_DIFFERENT or _repeats(key):
        return "repeats too few characters"
    return None


def _repeats(key: str) -> bool:
    """Tell whether a key is one short piece written over and over."""
    return any(key == (key[:size] * (len(key) // size + 1))[: len(key)] for size in range(1, len(key) // 3 + 1))
