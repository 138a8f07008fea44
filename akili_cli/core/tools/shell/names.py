"""Lets tables of names be written as running text."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """Give the words of a text as a set."""
    return frozenset(text.split())
