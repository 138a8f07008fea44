"""Options that stand before the command, kept for the whole process."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.domain.errors import UsageError

COLOR_CHOICES = ("auto", "always", "never")


@dataclass(slots=True)
class GlobalOptions:
    """``--config`` and ``--color`` of this process, and which command it is; None is the prompt."""

    config: str | None = None
    color: str = "auto"
    command: str | None = None


given = GlobalOptions()


def keep(*, config: str | None, color: str, command: str | None = None) -> None:
    """Remember the options; raises ``UsageError`` for a colour choice that does not exist."""
    if color not in COLOR_CHOICES:
        raise UsageError(f"--color must be one of {', '.join(COLOR_CHOICES)}, not {color!r}")
    given.config = config
    given.color = color
    given.command = command
