"""Where the runbooks are that come with akili."""

from __future__ import annotations

from pathlib import Path

SHIPPED = "_shipped_runbooks"


def shipped_runbooks_dir() -> Path:
    """Give the folder of the runbooks that come with akili, in a checkout and in an installation."""
    return (Path(__file__).parents[2] / SHIPPED).resolve()
