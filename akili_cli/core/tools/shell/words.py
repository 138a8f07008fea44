"""From a word as written to the token a program would get, as far as it can be known."""

from __future__ import annotations

import pwd
import re
from dataclasses import dataclass

from akili_cli.core.tools.shell.syntax import Word

_BRACES = re.compile(r"\{.*(?:,|\.\.).*\}", re.DOTALL)
_GLOB = re.compile(r"[*?]|\[.*\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """One argument. ``text`` is None when computed; ``parent`` is the literal directory part of a glob."""

    raw: str
    text: str | None
    parent: str | None = None

    @property
    def plain(self) -> str | None:
        """The exact text the program gets: neither computed nor a glob."""
        return None if self.parent is not None else self.text


def literal(text: str) -> Token:
    """Make a token of a known text."""
    return Token(text, text)


def computed(raw: str) -> Token:
    """Make a token that only the running shell can know."""
    return Token(raw, None)


def tokenise(word: Word, home: str) -> Token:
    """Remove quotes, expand a leading tilde, keep globs apart; braces differ between shells: computed."""
    text = word.literal
    unquoted = word.unquoted
    if text is None or _BRACES.search(unquoted):
        return computed(word.raw)
    first = word.parts[0]
    if not first.quoted and text.startswith("~"):
        expanded = _tilde(text, home) if "/" in (first.text or "") or len(word.parts) == 1 else None
        if expanded is None:
            return computed(word.raw)
        text = expanded
    if _GLOB.search(unquoted):
        return Token(word.raw, text, _parent(text))
    return Token(word.raw, text)


def _parent(text: str) -> str:
    head = re.split(r"[*?\[]", text, maxsplit=1)[0]
    return head[: head.rfind("/") + 1] or "."


def _tilde(text: str, home: str) -> str | None:
    name, slash, rest = text[1:].partition("/")
    if not name:
        return home + slash + rest
    if not re.fullmatch(r"[a-z_][a-z0-9_-]*", name):
        return None
    try:
        return pwd.getpwnam(name).pw_dir + slash + rest
    except KeyError:
        return text
