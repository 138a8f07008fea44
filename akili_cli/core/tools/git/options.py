"""Option tables: which options are passed on to git, and how each takes its value.

``--name`` is a flag, ``--name=`` takes a value (attached or next), ``--name[=]`` takes one only when attached.
Everything else is unknown, and that includes git's abbreviations of option names. Values are handed on attached,
so that git cannot read one as an option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from akili_cli.domain.errors import InvalidArgumentsError

Table = Mapping[str, str]
MAX_ARGUMENTS = 100
MAX_ARGUMENT_BYTES = 4096


def read_table(text: str) -> Table:
    """Read an option table: name to how it takes its value."""
    pairs = (re.fullmatch(r"(-[^=\[]+)(=|\[=\])?", word) for word in text.split())
    return {pair[1]: pair[2] or "" for pair in pairs if pair}


def check_texts(args: list[str]) -> None:
    """Refuse what no program can be given, and what is too much or too long."""
    if len(args) > MAX_ARGUMENTS:
        raise InvalidArgumentsError(f"more than {MAX_ARGUMENTS} git arguments")
    for arg in args:
        try:
            size = len(arg.encode())
        except UnicodeEncodeError as error:
            raise InvalidArgumentsError("a git argument is not valid Unicode") from error
        if "\0" in arg or size > MAX_ARGUMENT_BYTES:
            raise InvalidArgumentsError("a git argument holds a NUL character or is too long")


def take_option(
    table: Table,
    arg: str,
    waiting: list[str],
    *,
    command: str,
    check: Callable[[str, str], None],
    implied: Mapping[str, str] | None = None,
) -> str:
    """Give an option as it is passed on; takes its value from ``waiting`` where it stands apart.

    ``command`` is what errors call it, ``check`` raises for a value that is not allowed, ``implied`` names options
    of which the next word is the value, and what it is when there is none. Raises ``InvalidArgumentsError``.
    """
    name, equals, value = _split(table, arg)
    takes = table.get(name)
    if takes is None or (equals and not takes):
        raise InvalidArgumentsError(
            f"{command} {arg!r} is not an option that is passed on", hint="only listed options work, written in full"
        )
    if not equals and takes == "=":
        value, equals = _next_value(command, arg, waiting), "="
    elif not equals and implied is not None and name in implied:
        value = waiting.pop(0) if waiting and not waiting[0].startswith("-") else implied[name]
        equals = "="
    if not equals:
        return name
    check(name, value)
    return f"{name}={value}" if name.startswith("--") else f"{name}{value}"


def _split(table: Table, arg: str) -> tuple[str, str, str]:
    if arg.startswith("--"):
        name, equals, value = arg.partition("=")
        return name, equals, value
    if arg in table:
        return arg, "", ""
    return arg[:2], arg[2:], arg[2:]


def _next_value(command: str, arg: str, waiting: list[str]) -> str:
    if not waiting:
        raise InvalidArgumentsError(f"{command} {arg} needs a value")
    if waiting[0].startswith("-"):
        raise InvalidArgumentsError(
            f"{command} {arg}: the value {waiting[0]!r} looks like an option",
            hint=f"attach the value, as in {arg if arg.startswith('--') else '--message'}=-x",
        )
    return waiting.pop(0)
