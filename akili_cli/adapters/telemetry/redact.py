"""The one filter that keeps secrets out of what leaves: audit, logs, model, notifications, screen."""

from __future__ import annotations

import base64
import enum
import html
import json
import math
import re
import shlex
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import PurePath
from urllib.parse import quote, quote_plus
from uuid import UUID

from akili_cli.adapters.telemetry.shapes import (
    HEADERS,
    KEYWORDS,
    SHAPES,
    TOKENS,
    Shape,
    hide_named,
    hide_private_keys,
    hide_shape,
    is_plain_value,
    is_secret_name,
    label,
)

MIN_SECRET_CHARS = 6
_MAX_DEPTH = 40
_MAX_INT_BITS = 4096
_ROUNDS = 4
_JSON_LEVELS = 4
_MARKER = re.compile(r"\[redacted:([A-Za-z0-9_.\-/]{1,80})\]")
_HINTS = tuple(dict.fromkeys([hint for shape in SHAPES for hint in shape.hints if hint != ":"] + ["PRIVATE KEY"]))
_CHAT_TOKEN = re.compile(r"\d:[A-Za-z0-9_\-]{34}")
_Hide = Callable[[str], str]
_Nested = Mapping[object, object] | list[object] | tuple[object, ...] | Set[object]
_BETWEEN = re.compile(r"\\+[nrtx]|0x")
_SEPARATORS = str.maketrans("", "", " \t\r\n:,%-")


class Redactor:
    """Replaces secrets by ``[redacted:<name>]``.

    It knows exact values (``register``), in the encodings they usually travel in, and what secrets look like
    (``shapes.py``). Nothing here raises, whatever the input; a second pass changes nothing.
    """

    def __init__(self) -> None:
        """Start without exact values; shapes and key names always apply."""
        self._lock = threading.Lock()
        self._names = {shape.name for shape in SHAPES} | {"private-key"}
        self._seen: set[str] = set()
        self._needles: tuple[_Needle, ...] = ()

    def register(self, secret: str, name: str) -> None:
        """Hide this value from now on, shown as ``name``. Values under 6 characters would hide common words."""
        if len(secret) < MIN_SECRET_CHARS:
            return
        name = label(name)
        if secret.lower() in name:
            name = "secret"
        with self._lock:
            if secret in self._seen:
                return
            self._seen.add(secret)
            self._names.add(name)
            needles = {needle.low: needle for needle in (*_needles(secret, name), *self._needles)}
            self._needles = tuple(sorted(needles.values(), key=lambda needle: -len(needle.low)))

    def suspicious(self, text: str) -> bool:
        """Tell, quickly, whether ``text()`` might change this text (also when it is JSON of such texts)."""
        low = text.lower()
        return (
            _holds_any(low, KEYWORDS)
            or _holds_any(text, _HINTS)
            or _CHAT_TOKEN.search(text) is not None
            or bool(self._needles and self._known(low))
        )

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        if len(text) < MIN_SECRET_CHARS or not self.suspicious(text):
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

    def stream(self) -> StreamRedactor:
        """Begin to redact a text that arrives in pieces."""
        return StreamRedactor(self)

    def longest_prefix(self, text: str) -> int:
        """Give how many last characters of the text may be the beginning of a registered value with spaces."""
        low = text.lower()
        longest = 0
        for needle in self._needles:
            if not needle.spaced:
                continue
            at = low.find(needle.low[0], max(0, len(low) - len(needle.low) + 1))
            while at >= 0:
                if needle.low.startswith(low[at:]):
                    longest = max(longest, len(low) - at)
                    break
                at = low.find(needle.low[0], at + 1)
        return longest

    def _known(self, low: str) -> tuple[_Needle, ...]:
        found = tuple(needle for needle in self._needles if needle.low in low)
        if not found and len(low) > MIN_SECRET_CHARS:
            dense = _dense(low)
            if dense != low:
                found = tuple(needle for needle in self._needles if needle.loose and needle.low in dense)
        return found

    def _pass(self, text: str) -> str:
        """Steps: exact values, key blocks, whole headers, named values, then single tokens."""
        if self._needles:
            text = self._each_segment(text, self._hide_exact)
        if "PRIVATE KEY" in text:
            text = self._each_segment(text, hide_private_keys)
        text = self._hide_tokens(text, HEADERS)
        if _holds_any(text.lower(), KEYWORDS):
            text = self._each_segment(text, hide_named)
        return self._hide_tokens(text, TOKENS)

    def _hide_tokens(self, text: str, shapes: tuple[Shape, ...]) -> str:
        for shape in shapes:
            if _holds_any(text, shape.hints):
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
        for needle in self._known(text.lower()):
            text = needle.pattern().sub(f"[redacted:{needle.name}]", text)
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

    That is the last three words, a private key block whose end has not come, a line with a
    ``Cookie`` or ``Authorization`` header or a MySQL command, and the beginning of a registered value.
    """

    HOLD_CHARS = 8192
    BLOCK_CHARS = 65536

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
        cut = min(cut, len(text) - self._redactor.longest_prefix(text))
        return max(cut, len(text) - self.HOLD_CHARS)


_HELD_WORDS = 3
_WORD = re.compile(r"\S+")
_HEADER = re.compile(r"(?i)cookie|authorization|mysql|mariadb")


class _Needle:
    """One way a registered value may be written; compared in lower case."""

    __slots__ = ("_pattern", "loose", "low", "name", "spaced")

    def __init__(self, written: str, name: str, *, loose: bool) -> None:
        self.low = written.lower()
        self.name = name
        self.loose = loose
        self.spaced = any(char.isspace() for char in written)
        self._pattern: re.Pattern[str] | None = None

    def pattern(self) -> re.Pattern[str]:
        """Compile on first use: most needles are never found."""
        if self._pattern is None:
            chars = [re.escape(char) for char in self.low]
            between = r"(?:[\s:,%\-]|\\+[nrtx]|0x)*" if self.loose else ""
            self._pattern = re.compile(between.join(chars) + (r"=*" if self.loose else ""), re.IGNORECASE)
        return self._pattern


def _needles(secret: str, name: str) -> list[_Needle]:
    plain = {secret, secret.upper(), secret.lower(), secret.casefold(), html.escape(secret)}
    plain.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    escaped = secret
    for _ in range(_JSON_LEVELS):
        escaped = json.dumps(escaped)[1:-1]
        plain.add(escaped)
    plain |= {shlex.quote(secret).removeprefix("'").removesuffix("'")}
    raw = secret.encode("utf-8", "surrogatepass")
    for safe in ("", "/", "!~*'()", ":/?#[]@!$&'()*+,;=~"):
        plain.add(quote(raw, safe=safe))
    plain.add(quote_plus(raw))
    dense = {raw.hex(), *_base64_cores(raw)}
    return [
        *(_Needle(text, name, loose=False) for text in plain if len(text) >= MIN_SECRET_CHARS),
        *(_Needle(text, name, loose=True) for text in dense if len(text) >= MIN_SECRET_CHARS),
    ]


def _base64_cores(raw: bytes) -> Iterable[str]:
    """Give the characters a value surely has inside longer Base64, at each of the three alignments."""
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + raw).decode()
        bits = 8 * (lead + len(raw))
        core = text[-(-8 * lead // 6) : bits // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _holds_any(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - twice as fast as any() with a generator, and on the path of every call
        if word in text:
            return True
    return False


def _dense(text: str) -> str:
    """Drop what hex dumps and wrapped Base64 have between their characters."""
    return (_BETWEEN.sub("", text) if "\\" in text or "0x" in text else text).translate(_SEPARATORS)


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
