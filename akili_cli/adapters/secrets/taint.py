"""Finds what must never leave: the parts of a value, and the variables that look like they hold a secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from akili_cli.adapters.telemetry.redact import Redactor

MIN_CHARS = 6
_MIN_LINE_CHARS = 16
_MAX_PARTS = 200


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TELLING = _set(
    "KEY KEYS APIKEY TOKEN TOKENS SECRET SECRETS PASSWORD PASSWORDS PASSWD PASS PASSPHRASE PWD CREDENTIAL "
    "CREDENTIALS CREDS DSN AUTH AUTHORIZATION COOKIE COOKIES JWT PAT BEARER SIGNATURE SALT WEBHOOK"
)
_TELLING_ENDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY")
_ABOUT = _set(
    "FILE FILES PATH DIR HOME NAME NAMES ID TYPE LENGTH SIZE VERSION TTL EXPIRY ENABLED DISABLED METHOD PROVIDER "
    "STORE SOCK SOCKET HOST PORT REGION COUNT LIMIT FORMAT ALGORITHM HEADER TIMEOUT COMMAND CMD PROMPT"
)
EXCLUDED = _set(
    "GPG_KEY PYTHON_GPG_KEY NODE_GPG_KEY SSH_AUTH_SOCK SSH_ASKPASS GIT_ASKPASS SUDO_ASKPASS KEYBOARD_KEY PWD OLDPWD "
    "XAUTHORITY TERM_SESSION_ID AKILI_WORKSPACE AKILI_CONFIG"
)
"""Variables that sound like secrets and hold public things; a fingerprint in an image, a path, a socket."""

_PLAIN = re.compile(r"(?i)true|false|enabled|disabled|required|optional|default|none|null|\d{1,7}")
_REFERENCE = re.compile(r"(?:env|file|keyring|vault)://")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_URL_PASSWORD = re.compile(r"://[^\s/?#:@]*:([^\s]+)@[^\s@/]")
_DSN_PASSWORD = re.compile(r"(?i)(?:^|[\s;?&])(?:password|pwd)\s*=\s*(?:'([^']+)'|([^\s;&']+))")


def taint_environment(redactor: Redactor, env: Mapping[str, str]) -> None:
    """Register the value of every variable that looks like it holds a secret, before anything can leave."""
    for name, value in key_like(env):
        redactor.register(value, f"env-{name}")


def key_like(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give names and values of what looks secret in an environment.

    By name: a word like KEY, TOKEN, SECRET, PASSWORD, CREDENTIAL or DSN, unless the last word says that it is
    about one (``_FILE``, ``_ID``, ``_TTL``) or the name is in ``EXCLUDED``. By value: whatever the name, the
    password in a URL. Left out: values under 6 characters, plain words and counts, references, paths, and URLs
    without a password.
    """
    for name, value in env.items():
        for password in _passwords(value):
            yield name, password
        if is_telling(name) and _may_be_secret(value):
            yield from ((name, part) for part in parts_of(value))


def is_telling(name: str) -> bool:
    """Tell whether a variable's name says that it holds a secret."""
    if name in EXCLUDED:
        return False
    words = [word.upper() for word in _WORDS.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words or (words[-1] in _ABOUT and "SECRET" not in words):
        return False
    return any(word in _TELLING or word.endswith(_TELLING_ENDS) for word in words)


def parts_of(value: str) -> Iterator[str]:
    """Give a value and what must be hidden of it on its own: its lines, its JSON strings, the password of a URL."""
    yield value
    stripped = value.strip()
    if stripped != value:
        yield stripped
    yield from _passwords(value)
    lines = value.splitlines()
    if len(lines) > 1:
        long = (line.strip() for line in lines[:_MAX_PARTS])
        yield from (line for line in long if len(line) >= _MIN_LINE_CHARS and not line.startswith("-----"))
    if stripped.startswith(("{", "[")):
        yield from _json_strings(stripped)


def _passwords(value: str) -> Iterator[str]:
    found = _URL_PASSWORD.search(value) if "://" in value else None
    written = found[1] if found else None
    if written is None and (pair := _DSN_PASSWORD.search(value)):
        written = pair[1] or pair[2]
    if written is not None and not written.startswith("$"):
        yield from (text for text in dict.fromkeys((written, unquote(written))) if len(text) >= MIN_CHARS)


def _json_strings(text: str) -> Iterator[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    values = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    yield from (one for one in list(values)[:_MAX_PARTS] if isinstance(one, str) and len(one) >= MIN_CHARS)


def _may_be_secret(value: str) -> bool:
    text = value.strip()
    if len(text) < MIN_CHARS or _PLAIN.fullmatch(text) or _REFERENCE.match(text):
        return False
    if _URL.match(text):
        return "@" in text or "?" in text
    return not _is_path(text)


def _is_path(text: str) -> bool:
    """Tell whether a text is a path, or a list of them: it must exist, for Base64 may begin with a slash too."""
    return all(part.startswith(("/", "~/", "./", "../")) and _exists(part) for part in text.split(":"))


def _exists(path: str) -> bool:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - pathlib raises for a home that is unknown
    try:
        return os.path.lexists(expanded) or (expanded.count("/") > 1 and os.path.isdir(os.path.dirname(expanded)))  # noqa: PTH112, PTH120 - text that may not be a path at all
    except ValueError:
        return False
