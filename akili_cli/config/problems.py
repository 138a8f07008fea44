"""Says what is wrong with a configuration: every problem at once, each with the nearest right key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.lines import Problem
from akili_cli.config.planned import is_planned, refusal
from akili_cli.config.schema import keys_at, places
from akili_cli.domain.nearest import nearest

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
_WORDS = {bool: "true/false", int: "a whole number", float: "a number", str: "text", type(None): "nothing"}


def problems_in(error: ValidationError) -> list[Problem]:
    """Turn a failed validation into problems, in the words of the config file."""
    return [problem for detail in error.errors(include_url=False) for problem in _problems(detail)]


def _problems(detail: ErrorDetails) -> Iterable[Problem]:
    path: KeyPath = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        return [Problem(path, refusal(path) if is_planned(path) else _unknown(path))]
    if path and path[-1] == "[key]":
        return [Problem(path[:-1], "an empty or unreadable name")]
    return [Problem(path, _wrong(detail))]


def _wrong(detail: ErrorDetails) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in _TYPES:
        got = _WORDS.get(type(given), "a list" if isinstance(given, list | tuple) else "a mapping")
        return f"must be {_TYPES[kind]}, not {got}{_boolean_hint(kind, given)}"
    if kind == "literal_error":
        return _choice(str(context.get("expected", "")), given)
    if kind in _BOUNDS:
        bound = next(value for name, value in context.items() if name in ("gt", "ge", "lt", "le"))
        return f"must be {_BOUNDS[kind]} {bound}"
    if kind in ("string_too_short", "string_too_long", "string_pattern_mismatch"):
        return "must be a short word of a-z, 0-9 and .-_" if "a-z" in str(context) else "must be printable text"
    said = detail["msg"].removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _boolean_hint(kind: str, given: object) -> str:
    if kind == "bool_type" and isinstance(given, str) and given.lower() in ("yes", "no", "on", "off"):
        return f"; write {'true' if given.lower() in ('yes', 'on') else 'false'}"
    return ""


def _choice(expected: str, given: object) -> str:
    known = re.findall(r"'([^']*)'", expected)
    text = f"must be one of {', '.join(known)}"
    if not isinstance(given, str):
        return text
    return f"{text}, not {given[:60]!r}{nearest(given, known)}"


def _unknown(path: KeyPath) -> str:
    """Explain an unknown key by its siblings first, then by where else that name is a setting."""
    name = str(path[-1])
    siblings, anywhere = keys_at(path[:-1]), places()
    near = nearest(name, siblings)
    if name in anywhere and not near.startswith(f"; did you mean `{name}"):
        return f"unknown key here; it belongs in {' or '.join(anywhere[name][:3])}"
    if near:
        return f"unknown key{near}"
    elsewhere = difflib.get_close_matches(name[:100], anywhere, n=1, cutoff=0.8)
    if elsewhere:
        return f"unknown key; did you mean `{elsewhere[0]}` in {anywhere[elsewhere[0]][0]}?"
    known = ", ".join(siblings[:16])
    return f"unknown key; known here: {known}" if known else "unknown key"
