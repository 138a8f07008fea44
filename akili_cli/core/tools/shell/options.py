"""Splits arguments into options and operands, the way getopt would, abbreviations included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from akili_cli.core.tools.shell.syntax import UnreadableError
from akili_cli.core.tools.shell.words import Token, literal


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """What options a program knows: letters and long names, without and with an argument.

    ``strict`` refuses unknown and computed options, which is what unwrapping needs: one unknown option
    with an argument would make the wrong word the program.
    """

    flags: str = ""
    takes: str = ""
    long_flags: frozenset[str] = frozenset()
    long_takes: frozenset[str] = frozenset()
    strict: bool = False
    permute: bool = True


@dataclass(frozen=True, slots=True)
class Arguments:
    """The outcome: ``options`` as (name, value), where short names are one letter."""

    options: tuple[tuple[str, Token | None], ...]
    operands: tuple[Token, ...]

    def has(self, *names: str) -> bool:
        """Tell whether any of the options is given, abbreviated or not."""
        return any(self.values(name) for name in names)

    def values(self, name: str) -> list[Token | None]:
        """Give the values of one option; long names match their abbreviations too."""
        return [value for given, value in self.options if _same(given, name)]

    def of(self, names: Iterable[str]) -> list[Token]:
        """Give the values of several options that have one."""
        return [value for name in names for value in self.values(name) if value is not None]


def _same(given: str, name: str) -> bool:
    return given == name or (len(given) > 1 and len(name) > 1 and name.startswith(given))


def split(tokens: Sequence[Token], spec: OptionSpec) -> Arguments:
    """Split arguments; raises ``UnreadableError`` in strict mode for what is unknown or computed."""
    options: list[tuple[str, Token | None]] = []
    operands: list[Token] = []
    rest = list(tokens)
    while rest:
        token = rest.pop(0)
        text = token.plain
        if text is None and spec.strict:
            raise UnreadableError(f"{token.raw!r} is computed where options and the program stand")
        if text == "--":
            operands += rest
            break
        if text is not None and text.startswith("--"):
            options.append(_long(text[2:], rest, spec))
        elif text is not None and text.startswith("-") and text != "-":
            options += _short(text[1:], rest, spec)
        else:
            operands.append(token)
            if not spec.permute:
                operands += rest
                break
    return Arguments(tuple(options), tuple(operands))


def _long(text: str, rest: list[Token], spec: OptionSpec) -> tuple[str, Token | None]:
    name, equals, value = text.partition("=")
    matches = {known for known in spec.long_takes | spec.long_flags if _same(name, known)}
    if name in matches:
        matches = {name}
    if spec.strict and len(matches) != 1:
        raise UnreadableError(f"the option --{name} is not known")
    full = next(iter(matches)) if len(matches) == 1 else name
    if equals:
        return full, literal(value)
    if full in spec.long_takes and rest:
        return full, rest.pop(0)
    return full, None


def _short(text: str, rest: list[Token], spec: OptionSpec) -> list[tuple[str, Token | None]]:
    found: list[tuple[str, Token | None]] = []
    for index, letter in enumerate(text):
        if letter in spec.takes:
            attached = text[index + 1 :]
            value = literal(attached) if attached else (rest.pop(0) if rest else None)
            found.append((letter, value))
            break
        if spec.strict and letter not in spec.flags:
            raise UnreadableError(f"the option -{letter} is not known")
        found.append((letter, None))
    return found
