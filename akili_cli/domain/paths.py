"""Absolute paths compared by component, never by string prefix."""

from __future__ import annotations


def is_within(path: str, root: str) -> bool:
    """Tell whether an absolute, resolved path is the root itself or lies below it."""
    if root == "/":
        return path.startswith("/")
    return path == root or path.startswith(root.rstrip("/") + "/")


def is_within_any(path: str, roots: tuple[str, ...]) -> bool:
    """Tell whether a path is one of the roots or below one."""
    return any(is_within(path, root) for root in roots)
