"""How long a call may take, as its caller says it."""

from __future__ import annotations

from akili_cli.domain.durations import parse_duration
from akili_cli.domain.errors import InvalidArgumentsError


def timeout_of(given: str | None, longest_s: float) -> float:
    """Give the seconds of a text like ``2m``, the longest when there is none.

    Raises ``InvalidArgumentsError`` for what is no duration or longer than the longest.
    """
    if given is None:
        return longest_s
    try:
        seconds = parse_duration(given)
    except ValueError as error:
        raise InvalidArgumentsError(f"timeout: {error}") from error
    if seconds > longest_s:
        raise InvalidArgumentsError(
            f"timeout: {given} is longer than the {longest_s:g} s that are allowed",
            hint="sandbox.max_execution_seconds sets the longest",
        )
    return seconds
