"""Reads the corpora of git command lines."""

from __future__ import annotations

from pathlib import Path


def lines_of(name: str, verdict: str) -> list[str]:
    """Give the lines of a corpus that have a verdict."""
    text = (Path(__file__).parents[1] / "security" / "corpora" / name).read_text("utf-8")
    cases = [line.rsplit("\t", 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {found for _, found in cases} == {"allowed", "refused"}
    return [line for line, found in cases if found == verdict]
