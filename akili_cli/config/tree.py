"""Reaches into plain data (mappings, lists, scalars) by key paths, whatever shape it turns out to have."""

from __future__ import annotations

from collections.abc import Mapping

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.lines import children


def pick(data: object, pattern: str) -> list[tuple[KeyPath, object]]:
    """Give every value at a dotted pattern, where ``*`` stands for any key or index."""
    found: list[tuple[KeyPath, object]] = [((), data)]
    for part in pattern.split("."):
        found = [((*path, key), child) for path, value in found for key, child in children(value) if part in ("*", key)]
    return found


def value_at(data: object, path: KeyPath) -> object:
    """Give the value at a path of keys, or ``None``."""
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def replace_at(data: object, path: KeyPath, value: object) -> None:
    """Replace the value at a path that exists; do nothing where it does not."""
    for part in path[:-1]:
        data = dict(children(data)).get(part)
    match data, path[-1]:
        case dict(), last if last in data:
            data[last] = value
        case list(), int(index) if index < len(data):
            data[index] = value


def put_at(data: dict[str, object], path: KeyPath, value: object) -> bool:
    """Set a value and make the mappings on the way; ``False`` where something else stands in the way."""
    node: object = data
    for part in path[:-1]:
        if not isinstance(node, dict):
            return False
        node = node.setdefault(part, {})
    if not isinstance(node, dict):
        return False
    node[path[-1]] = value
    return True


def copy_mapping(data: Mapping[str, object]) -> dict[str, object]:
    """Copy data so that two places written by one YAML alias do not change together."""
    return {key: _copy(child) for key, child in data.items()}


def _copy(value: object) -> object:
    if isinstance(value, Mapping):
        return copy_mapping(value)
    return [_copy(child) for child in value] if isinstance(value, list) else value
