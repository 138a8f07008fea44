"""Reads a repository's own config the way git does, and names every key in it that could run something.

Git cannot be told to ignore a repository's config, but the command line and the environment win over it.
``KEPT`` lists the keys known to run nothing and to read no other file; every other key that the repository
sets is overridden with an empty value. A key nobody thought of is therefore switched off, not trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from akili_cli.domain.errors import InvalidArgumentsError

_KEPT_PATTERNS = (
    r"core\.(repositoryformatversion|filemode|ignorecase|precomposeunicode|symlinks|autocrlf|eol|safecrlf)",
    r"core\.(abbrev|quotepath|sparsecheckout|sparsecheckoutcone|logallrefupdates|commentchar|whitespace)",
    r"core\.(compression|loosecompression|bigfilethreshold|deltabasecachelimit|packedgit[a-z]+|checkstat)",
    r"core\.(trustctime|protecthfs|protectntfs|commitgraph|multipackindex|untrackedcache|splitindex)",
    r"core\.(preloadindex|sharedrepository|notesref|fsync|fsyncmethod|fsyncobjectfiles|checkroundtripencoding)",
    r"core\.(fsmonitorhookversion|warnambiguousrefs|maxtreedepth|createobject|usereplacerefs|filesreflocktimeout)",
    r"(extensions|index|color|column|advice|notes|i18n|feature)\..*",
    r"pack\.(compression|depth|packsizelimit|threads|window|windowmemory)",
    r"user\.(name|email)",
    r"branch\..*\.(remote|merge|rebase|pushremote|description)",
    r"remote\..*\.fetch",
    r"submodule\..*\.(ignore|active|branch)",
    r"log\.(abbrevcommit|date|decorate|excludedecoration|follow|graphcolors|initialdecorationset)",
    r"log\.(mailmap|showroot)",
    r"diff\.(algorithm|autorefreshindex|colormoved|colormovedws|context|dirstat|indentheuristic)",
    r"diff\.(interhunkcontext|mnemonicprefix|noindex|noprefix|relative|renamelimit|renames|statgraphwidth)",
    r"diff\.(statnamewidth|suppressblankempty|srcprefix|dstprefix|wordregex|wserrorhighlight)",
    r"diff\..*\.(xfuncname|funcname|wordregex|binary|algorithm)",
    r"status\.(aheadbehind|branch|displaycommentprefix|relativepaths|renamelimit|renames|short|showstash)",
    r"status\.showuntrackedfiles",
    r"grep\.(patterntype|extendedregexp|linenumber|column|fullname|threads)",
    r"format\.filenamemaxlength",
    r"merge\.(renames|renamelimit|conflictstyle|directoryrenames)",
)
KEPT = re.compile("|".join(f"(?:{pattern})" for pattern in _KEPT_PATTERNS), re.DOTALL)

_SPACE = " \t\n\r"
_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "\\": "\\", '"': '"'}


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``key = value`` line: section and name in lower case; ``value`` is None when only named."""

    key: str
    value: str | None


def is_kept(key: str) -> bool:
    """Tell whether a key is left as the repository sets it."""
    return KEPT.fullmatch(key) is not None


def parse(text: str) -> list[Setting]:
    """Read git's config format; raises ``InvalidArgumentsError`` for whatever git itself would refuse."""
    return list(_Reader(text).settings())


class _Reader:
    """One pass over the text; the end counts as a newline, as it does for git."""

    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._at = 0

    def settings(self) -> Iterator[Setting]:
        base = ""
        while self._at < len(self._text):
            char = self._next()
            if char in _SPACE:
                continue
            if char in "#;":
                self._rest_of_line()
            elif char == "[":
                base = self._section()
            elif char.isascii() and char.isalpha() and base:
                yield self._setting(base, char)
            else:
                raise self._wrong()

    def _setting(self, base: str, first: str) -> Setting:
        name = first
        char = self._next()
        while char in _KEY:
            name += char
            char = self._next()
        while char in " \t":
            char = self._next()
        value = None
        if char == "=":
            value = self._value()
        elif char != "\n":
            raise self._wrong()
        return Setting(f"{base}.{name.lower()}", value)

    def _section(self) -> str:
        name = ""
        while (char := self._inside()) != "]":
            if char in _SPACE:
                return f"{name.lower()}.{self._subsection(char)}"
            if char not in _KEY and char != ".":
                raise self._wrong()
            name += char
        return name.lower()

    def _subsection(self, char: str) -> str:
        while char in _SPACE:
            if char == "\n":
                raise self._wrong()
            char = self._inside()
        if char != '"':
            raise self._wrong()
        name = ""
        while (char := self._inside()) != '"':
            if char == "\\":
                char = self._inside()
            if char == "\n":
                raise self._wrong()
            name += char
        if self._inside() != "]":
            raise self._wrong()
        return name

    def _value(self) -> str:
        parts: list[str] = []
        space, quoted, started = "", False, False
        while (char := self._next()) != "\n" or quoted:
            if char == "\n":
                raise self._wrong()
            if char in _SPACE and not quoted:
                space += char if started else ""
                continue
            if char in ";#" and not quoted:
                self._rest_of_line()
                break
            parts.append(space)
            space = ""
            if char == '"':
                quoted = not quoted
                continue
            parts.append(self._escape() if char == "\\" else char)
            started = started or bool(parts[-1])
        return "".join(parts)

    def _escape(self) -> str:
        char = self._next()
        if char == "\n":
            return ""
        if char not in _ESCAPES:
            raise self._wrong()
        return _ESCAPES[char]

    def _rest_of_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end + 1

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1] if self._at <= len(self._text) else "\n"

    def _inside(self) -> str:
        if self._at >= len(self._text):
            raise self._wrong()
        return self._next()

    def _wrong(self) -> InvalidArgumentsError:
        line = self._text.count("\n", 0, self._at) + 1
        return InvalidArgumentsError(f"the repository's git config is not understood near line {line}")
