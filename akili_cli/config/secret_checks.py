"""What is wrong with the places and patterns of ``secrets``, beyond their types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.lines import Problem
from akili_cli.config.tree import pick

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def secret_problems(data: object) -> Iterator[Problem]:
    """Find places named twice, entries that could never match, and patterns that are slow or hide everything."""
    seen: set[object] = set()
    for path, kind in pick(data, "secrets.providers.*.type"):
        if isinstance(kind, str) and kind in seen:
            yield Problem(path, f"the provider type {kind[:60]!r} is used twice")
        seen.add(kind if isinstance(kind, str) else None)
    for path, value in pick(data, "secrets.providers.*"):
        if isinstance(value, dict):
            yield from _provider(path, value)
    for path, value in pick(data, "secrets.patterns.*"):
        what = _bad_pattern(value) if isinstance(value, str) else None
        if what:
            yield Problem(path, what)


def _provider(path: KeyPath, provider: Mapping[str, object]) -> Iterator[Problem]:
    kind, allowed = provider.get("type"), provider.get("allow")
    if kind in ("file", "keyring") and provider.get("prefix") is not None:
        yield Problem((*path, "prefix"), f"has no effect on {kind}; name {kind} places in `allow`")
    for index, entry in enumerate(allowed if isinstance(allowed, list) else ()):
        if kind == "env" and isinstance(entry, str) and not _VARIABLE.fullmatch(entry):
            yield Problem((*path, "allow", index), "is not the name of a variable")
        if kind == "file" and isinstance(entry, str) and not entry.startswith("/"):
            yield Problem((*path, "allow", index), "must be an absolute directory")


def _bad_pattern(pattern: str) -> str | None:
    from akili_cli.features.runbooks.patterns import check_pattern

    try:
        found = re.compile(check_pattern(pattern)).match("")
    except ValueError as error:
        return str(error)
    return None if found is None else "matches the empty text, so it would hide everything"
