"""The pieces a shell line falls into: words, redirects, simple commands, groups, scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


class UnreadableError(Exception):
    """The line cannot be read with certainty; the message says why. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word. ``text`` is None when only the running shell could know it."""

    text: str | None
    quoted: bool = False
    scripts: tuple[Script, ...] = ()
    arithmetic: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written (``raw``) and as its parts."""

    raw: str
    parts: tuple[Part, ...]

    @property
    def literal(self) -> str | None:
        """The text after quote removal, or None when a part of it is computed."""
        if any(part.text is None for part in self.parts):
            return None
        return "".join(part.text or "" for part in self.parts)

    @property
    def unquoted(self) -> str:
        """The unquoted literal characters only: what globs, braces and tildes can come from."""
        return "".join(part.text or "" for part in self.parts if not part.quoted)

    @property
    def scripts(self) -> Iterator[Script]:
        """The command and process substitutions inside."""
        for part in self.parts:
            yield from part.scripts


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirection. ``body`` holds the substitutions of an unquoted here-document."""

    operator: str
    target: Word
    body: list[Script] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name=value`` in front of a command or alone."""

    name: str
    value: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command: assignments, words, redirects."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A compound command. ``kind``: subshell, brace, loop, branch or function; ``name`` of a variable or function."""

    kind: str
    scripts: tuple[Script, ...]
    redirects: tuple[Redirect, ...] = ()
    words: tuple[Word, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """Pipelines joined by ``&&`` and ``||``; ``operators[i]`` stands before ``pipelines[i + 1]``."""

    pipelines: tuple[tuple[Simple | Group, ...], ...]
    operators: tuple[str, ...]
    background: bool = False


Script = list[Chain]
