"""The configuration as JSON Schema, and the values in force with where each came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.lines import Loaded, children, render_path
from akili_cli.gateways.http.weak import is_digest, is_reference

MASK = "***"
_USER_INFO = re.compile(r"(?<=://)([^:]*):.*@", re.DOTALL)
_PASSWORD = re.compile(r"(?<=password=)[^&\s]+", re.IGNORECASE)
_SECRET_KEYS = frozenset({"api_key", "token", "password", "secret"})
_KEYED = ("gateways", "http", "api_key_user_mapping")
_REFERENCE = re.compile(r"[a-z]+://")
_Schema = dict[str, Any]


class Row(NamedTuple):
    """One line of ``config show``; ``origin`` is empty when it was not asked for."""

    path: str
    value: object
    origin: str


@cache
def json_schema() -> _Schema:
    """Give the JSON Schema (2020-12) of a config file; callers must not change it."""
    from akili_cli.config.settings import Settings

    schema = Settings.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "akili configuration"
    return schema


def show(loaded: Loaded, *, origin: bool) -> list[Row]:
    """Give every setting in force, secrets masked; empty lists and mappings count as values."""
    keys = list(loaded.settings.gateways.http.api_key_user_mapping)
    data = loaded.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [
        Row(render_path(_shown(path, keys)), masked(path, value), str(loaded.origins.at(path)) if origin else "")
        for path, value in _leaves(data, ())
    ]


def masked(path: KeyPath, value: object) -> object:
    """Hide what could be a secret: passwords inside DSNs, and any secret that is not a reference."""
    if not isinstance(value, str):
        return value
    if path and path[-1] in _SECRET_KEYS and not _REFERENCE.match(value):
        return MASK
    if path[-1:] in (("dsn",), ("base_url",)):
        return _PASSWORD.sub(MASK, _USER_INFO.sub(rf"\1:{MASK}@", value))
    return value


def _shown(path: KeyPath, keys: Sequence[str]) -> KeyPath:
    """Hide the names of the one mapping where they are secrets; their places tell them apart."""
    name = str(path[-1])
    if path[:-1] != _KEYED or is_reference(name) or is_digest(name):
        return path
    return (*path[:-1], f"{MASK}{keys.index(name) + 1}")


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    below = children(value)
    if not below or (isinstance(value, list) and not any(isinstance(item, dict) for item in value)):
        yield path, value
        return
    for part, child in below:
        yield from _leaves(child, (*path, part))


def keys_at(path: KeyPath) -> tuple[str, ...]:
    """Give the keys the schema knows at a place; none for free names and for places that do not exist."""
    node: _Schema = json_schema()
    for part in path:
        node = _step(_resolved(node), part)
    return tuple(_resolved(node).get("properties", ()))


@cache
def places() -> Mapping[str, tuple[str, ...]]:
    """Give, for every key of the schema, the sections it belongs in (``*`` stands for a free name)."""
    found: dict[str, list[str]] = {}
    _collect(json_schema(), (), found)
    return {name: tuple(sorted(sections, key=_freedom)) for name, sections in found.items()}


def _freedom(section: str) -> int:
    return section.count("*") + section.count("[]")


def _collect(node: _Schema, path: tuple[str, ...], found: dict[str, list[str]]) -> None:
    node = _resolved(node)
    for name, child in node.get("properties", {}).items():
        found.setdefault(name, []).append(".".join(path) or "the top level")
        _collect(child, (*path, name), found)
    for part, child in (("*", _free(node)), ("[]", node.get("items"))):
        if isinstance(child, dict):
            _collect(child, (*path, part), found)


def _step(node: _Schema, part: str | int) -> _Schema:
    child = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
    return child or _free(node) or {}


def _free(node: _Schema) -> _Schema | None:
    """Give the schema behind free names, if a mapping has those."""
    child = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
    return child if isinstance(child, dict) else None


def _resolved(node: _Schema) -> _Schema:
    for option in node.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved(option)
    if "$ref" in node:
        target = json_schema()["$defs"][node["$ref"].rpartition("/")[2]]
        return _resolved(target)
    return node
