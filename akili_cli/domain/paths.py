"""Absolute paths compared by component, never by string prefix."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache


def is_within(path: str, root: str) -> bool:
    """Tell whether an absolute, resolved path is the root itself or lies below it; a relative root holds nothing."""
    if not (path.startswith("/") and root.startswith("/")):
        return False
    root = root.rstrip("/")
    return path == root or path.startswith(f"{root}/")


def is_within_any(path: str, roots: Collection[str]) -> bool:
    """Tell whether a path is one of the roots or below one; quick for many roots when they are a set."""
    return any(place in roots for place in with_ancestors(path))


@lru_cache(maxsize=8192)
def with_ancestors(path: str) -> tuple[str, ...]:
    """Give a path and every directory above it, nearest first, ``/`` last; empty for a relative path."""
    if not path.startswith("/"):
        return ()
    places = []
    place = path.rstrip("/")
    while place:
        places.append(place)
        place = place.rpartition("/")[0]
    return (*places, "/")
