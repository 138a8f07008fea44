"""What a handler of one program gets to see and to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from akili_cli.core.tools.shell.ledger import Ledger, Place
from akili_cli.core.tools.shell.words import Token

Wrappers = tuple[str, ...]


class Reader(Protocol):
    """Reads further commands that a command holds; ``moves`` when the line has a ``cd`` anywhere."""

    moves: bool

    def run(self, tokens: tuple[Token, ...], wrappers: Wrappers, place: Place) -> None:
        """Read a command given as separate arguments."""

    def text(self, token: Token, wrappers: Wrappers, place: Place) -> None:
        """Read a command given as shell text."""

    def variable(self, name: str, value: Token | None = None) -> None:
        """Note that a variable is set."""

    def move(self, place: Place) -> None:
        """Change the directory for what follows."""


@dataclass(frozen=True, slots=True)
class Call:
    """One program called with arguments, found behind some wrappers."""

    name: str
    tokens: tuple[Token, ...]
    wrappers: Wrappers
    place: Place
    ledger: Ledger
    reader: Reader

    @property
    def inside(self) -> Wrappers:
        """The wrappers of what this program runs."""
        return (*self.wrappers, self.name)

    @property
    def texts(self) -> tuple[str, ...]:
        """The arguments as far as they are known; computed ones as written."""
        return tuple(token.raw if token.text is None else token.text for token in self.tokens)

    def touch(self, access: str, *tokens: Token) -> None:
        """Note paths in the place of this call."""
        for token in tokens:
            match access:
                case "read" | "write" | "delete":
                    self.ledger.touch(access, token, self.place)
                case _:
                    raise ValueError(access)

    def record(self) -> None:
        """Note the program itself as a command that runs."""
        self.ledger.command((Token(self.name, self.name), *self.tokens), self.wrappers, self.place)
