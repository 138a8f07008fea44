"""The one filter that keeps secrets out of what leaves: audit, logs, model, notifications, screen."""

from __future__ import annotations

import enum
import math
import re
import threading
import traceback
from collections.abc import Callable, Mapping, Set
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import PurePath
from uuid import UUID

from akili_cli.adapters.telemetry.escapes import views
from akili_cli.adapters.telemetry.needles import MIN_SECRET_CHARS, Needle, Needles, needles_of
from akili_cli.adapters.telemetry.shapes import KEYWORDS, hide_named, is_plain_value, is_secret_name, label
from akili_cli.adapters.telemetry.tokens import (
    NAMES,
    Shape,
    headers,
    hide_phrases,
    hide_private_keys,
    hide_shape,
    shown,
    shows_any,
    speaks_of_phrases,
)

_MAX_DEPTH = 40
_MAX_INT_BITS = 4096
_ROUNDS = 4
_MARKER = re.compile(r"\[redacted:([A-Za-z0-9_.\-/]{1,80})\]")
_Hide = Callable[[str], str]
_Nested = Mapping[object, object] | list[object] | tuple[object, ...] | Set[object]


class Redactor:
    """Replaces secrets by ``[redacted:<name>]``.

    It knows exact values (``register``), in the encodings they usually travel in, and what secrets look like
    (``shapes.py``). Nothing here raises, whatever the input; a second pass changes nothing.
    """

    def __init__(self) -> None:
        """Start without exact values; shapes and key names always apply."""
        self._lock = threading.Lock()
        self._names = set(NAMES)
        self._values: dict[str, str] = {}
        self._forms: list[Needle] = []
        self._sealed: dict[str, list[str]] = {}
        self._index: Needles | None = None
        self._patterns: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def register(self, secret: str, name: str) -> None:
        """Hide this value from now on, shown as ``name``. Values under 6 characters would hide common words."""
        if len(secret) < MIN_SECRET_CHARS:
            return
        name = label(name)
        if secret.lower() in name:
            name = "secret"
        with self._lock:
            known = self._sealed.setdefault(name, [])
            if secret not in known:
                known.append(secret)
            if secret in self._values:
                return
            self._values[secret] = name
            self._forms += needles_of(secret, name)
            self._names.add(name)
            self._index = None

    def register_pattern(self, pattern: re.Pattern[str], name: str) -> None:
        """Hide whatever matches from now on; group 1 alone where the pattern has groups."""
        name = label(name)
        with self._lock:
            self._names.add(name)
            self._patterns = (*self._patterns, (name, pattern))

    @property
    def version(self) -> int:
        """A number that changes with every registration, for those who keep redacted texts."""
        return len(self._values) + len(self._patterns)

    def suspicious(self, text: str) -> bool:
        """Tell, quickly, whether ``text()`` might change this text (also when it is JSON of such texts)."""
        if self._patterns:
            return True
        return _holds_any(text.lower(), KEYWORDS) or shows_any(text) or self.holds_registered(text)

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        if len(text) < MIN_SECRET_CHARS:
            return text
        for _ in range(_ROUNDS):
            clean = self._pass(text)
            if clean == text:
                break
            text = clean
        return text

    def value(self, value: object) -> object:
        """Give JSON-ready data without secrets: strings, keys, and whatever stands under a secret name.

        What JSON cannot hold becomes text; what is nested deeper than 40 levels is cut.
        """
        return self._value(value, "", _MAX_DEPTH)

    def seal(self, value: object) -> object:
        """Put a marker in the place of each registered value in JSON-ready data, as ``unseal`` can take it out.

        Only values as they are written; what only looks like a secret, and other forms of a value, stay.
        """
        ordered = sorted(self._values, key=len, reverse=True)
        marks = {secret: self._mark(secret) for secret in ordered}
        return _mapped(value, lambda text: _replaced(text, ordered, marks))

    def unseal(self, value: object) -> object:
        """Give sealed data with its values again, as far as they are registered here.

        Whoever uses the result must compare it with a digest made before: a text may hold a marker of its own.
        """
        return _mapped(value, lambda text: _MARKER.sub(self._unsealed, text) if "[redacted:" in text else text)

    def holds_registered(self, text: str) -> bool:
        """Tell whether a text holds a registered value in any form."""
        if not self._values:
            return False
        needles = self._needles()
        return bool(needles.found_in(text.lower())) or any(needles.found_in(view.text.lower()) for view in views(text))

    def _mark(self, secret: str) -> str:
        name = self._values[secret]
        place = self._sealed[name].index(secret)
        return f"[redacted:{name}{f'/{place}' if place else ''}]"

    def _unsealed(self, marker: re.Match[str]) -> str:
        name, _, place = marker[1].rpartition("/")
        if marker[1] in self._sealed:
            return self._sealed[marker[1]][0]
        values = self._sealed.get(name, []) if place.isdigit() else []
        return values[int(place)] if place.isdigit() and int(place) < len(values) else marker.group()

    def stream(self) -> StreamRedactor:
        """Begin to redact a text that arrives in pieces."""
        return StreamRedactor(self)

    def held_chars(self, text: str) -> int:
        """Give how many last characters may be the beginning of a registered value that spans words."""
        return self._needles().held_chars(text) if self._values else 0

    def _needles(self) -> Needles:
        index = self._index
        if index is None:
            with self._lock:
                index = self._index = Needles.of(self._forms)
        return index

    def _pass(self, text: str) -> str:
        """Steps: exact values, patterns, key blocks, whole headers, named values, then single tokens."""
        if self._values:
            text = self._each_segment(text, self._hide_exact)
        for name, pattern in self._patterns:
            text = self._each_segment(text, partial(hide_shape, Shape(name, pattern)))
        if "PRIVATE KEY" in text:
            text = self._each_segment(text, hide_private_keys)
        low = text.lower()
        if speaks_of_phrases(low):
            text = self._each_segment(text, hide_phrases)
        if _holds_any(low, KEYWORDS):
            for shape in headers(low):
                text = self._each_segment(text, partial(hide_shape, shape))
            text = self._each_segment(text, hide_named)
        for shape in shown(text):
            text = self._each_segment(text, partial(hide_shape, shape))
        return text

    def _each_segment(self, text: str, hide: _Hide) -> str:
        """Work around markers that are already there, so that they are never taken for secrets."""
        if "[redacted:" not in text:
            return hide(text)
        out: list[str] = []
        at = 0
        for marker in _MARKER.finditer(text):
            if marker[1] in self._names or is_secret_name(marker[1]):
                out += [hide(text[at : marker.start()]), marker.group()]
                at = marker.end()
        return "".join([*out, hide(text[at:])])

    def _hide_exact(self, text: str) -> str:
        """Hide values as they are written, or, when there are none, as they read once escapes are written out."""
        needles = self._needles()
        found = needles.found_in(text.lower())
        for needle in found:
            text = needle.pattern().sub(f"[redacted:{needle.name}]", text)
        for view in () if found else views(text):
            spans = [
                (*view.source(match.start(), match.end()), needle.name)
                for needle in needles.found_in(view.text.lower())
                for match in needle.pattern().finditer(view.text)
            ]
            if spans:
                return _marked(text, spans)
        return text

    def _value(self, value: object, secret: str, depth: int) -> object:
        if isinstance(value, Mapping | list | tuple | Set):
            return self._nested(value, secret, depth - 1) if depth else "[cut: nested too deep]"
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            plain = _number(value)
            return self._leaf(str(plain), secret) if secret and not _is_count(secret) else plain
        return self._leaf(str.__str__(value) if isinstance(value, str) else _written(value), secret)

    def _nested(self, value: _Nested, secret: str, depth: int) -> object:
        if not isinstance(value, Mapping):
            return [self._value(item, secret, depth) for item in value]
        out: dict[str, object] = {}
        for key, item in value.items():
            name = key if type(key) is str else _key_text(key)
            under = secret or (name if is_secret_name(name) else "")
            out[self.text(name)] = self._value(item, under, depth)
        return out

    def _leaf(self, text: str, secret: str) -> str:
        if secret and not is_plain_value(secret, text):
            return f"[redacted:{label(secret)}]"
        return self.text(text)


class StreamRedactor:
    """Redacts a text in pieces; holds back only the end that may still become part of a secret.

    That is the last three words, a private key block whose end has not come, a line with a ``Cookie`` or
    ``Authorization`` header or a command that takes a password, what follows a word that leads up to several more,
    and the beginning of a registered value.
    """

    HOLD_CHARS = 8192
    BLOCK_CHARS = 65536
    SPAN_CHARS = 1000

    def __init__(self, redactor: Redactor) -> None:
        """Begin; normally made by ``Redactor.stream``."""
        self._redactor = redactor
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take the next piece and give what is safe to show by now."""
        self._held += piece
        cut = self._cut()
        if cut <= 0:
            return ""
        head, tail = self._held[:cut], self._held[cut:]
        if not self._redactor.suspicious(self._held):
            self._held = tail
            return head
        clean = self._redactor.text(head)
        if clean + self._redactor.text(tail) != self._redactor.text(self._held):
            return ""
        self._held = tail
        return clean

    def flush(self) -> str:
        """Give the rest, redacted."""
        rest, self._held = self._held, ""
        return self._redactor.text(rest)

    def _cut(self) -> int:
        text = self._held
        begin = text.rfind("-----BEGIN")
        if begin >= 0 and "-----END" not in text[begin:] and len(text) - begin < self.BLOCK_CHARS:
            return min(begin, self._word_cut(text[:begin] + " . . ."))
        return self._word_cut(text)

    def _word_cut(self, text: str) -> int:
        words = list(_WORD.finditer(text, max(0, len(text) - 2 * self.HOLD_CHARS)))
        cut = words[-3].start() if len(words) >= _HELD_WORDS else 0
        line = text.rfind("\n", 0, cut) + 1
        last = text.rfind("\n") + 1
        for start in (line, last):
            if _HEADER.search(text, start):
                cut = min(cut, start)
        if spanning := _SPANNING.search(text.lower(), max(0, len(text) - self.SPAN_CHARS)):
            cut = min(cut, spanning.start())
        cut = min(cut, len(text) - self._redactor.held_chars(text))
        return max(cut, len(text) - self.HOLD_CHARS)


_HELD_WORDS = 3
_WORD = re.compile(r"\S+")
_HEADER = re.compile(
    r"(?i)cookie|authorization|mysql|mariadb|mongo|redis-cli|ldap|smbclient|login|chpasswd|echo|printf|<<<|unseal"
)
_SPANNING = re.compile(r"machine |mnemonic|(?:seed|recovery|backup)[ _-]phrase|keys add")


def _mapped(value: object, change: Callable[[str], str]) -> object:
    """Change every string of JSON-ready data, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value


def _replaced(text: str, secrets: list[str], marks: Mapping[str, str]) -> str:
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, marks[secret])
    return text


def _holds_any(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - twice as fast as any() with a generator, and on the path of every call
        if word in text:
            return True
    return False


def _marked(text: str, spans: list[tuple[int, int, str]]) -> str:
    out: list[str] = []
    at = 0
    for start, end, name in sorted(spans):
        if end > at:
            out += [text[at : max(at, start)], f"[redacted:{name}]"]
            at = end
    return "".join([*out, text[at:]])


def _is_count(name: str) -> bool:
    return "token" in name.lower()


def _number(value: float) -> float | str:
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_INT_BITS else f"[number of {value.bit_length()} bits]"
    return value if math.isfinite(value) else repr(value)


def _key_text(key: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool | int | float):
        return str(_number(key) if isinstance(key, int | float) else key)
    return _written(key)


def _written(value: object) -> str:
    """Write what JSON has no form for; a stranger's ``__str__`` is not called, it may fail or leak."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, BaseException):
        return "".join(traceback.format_exception_only(value)).strip()
    if isinstance(value, PurePath | Decimal | UUID | date | time | timedelta):
        return str(value)
    return f"<{type(value).__name__}>"
