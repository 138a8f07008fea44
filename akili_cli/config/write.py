"""Writes a config file: whole or not at all, 0600, in the form its name says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from akili_cli.adapters.files.atomic import write_private

_UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def write_config(path: Path, mapping: Mapping[str, object]) -> None:
    """Write settings as YAML (``.yml``, ``.yaml``) or JSON (anything else).

    The text reads back as the same data. Raises ``WorkspaceError`` when the place cannot be written.
    """
    if path.suffix.lower() in (".yml", ".yaml"):
        text = _yaml(mapping)
    else:
        text = json.dumps(mapping, indent=2, ensure_ascii=False) + "\n"
    write_private(path, text.encode())


def _yaml(mapping: Mapping[str, object]) -> str:
    """Write block style with every text in JSON quotes, which YAML 1.1 and 1.2 read alike."""
    return "".join(_block(mapping, 0)) or "{}\n"


def _block(value: object, depth: int) -> list[str]:
    indent = "  " * depth
    out: list[str] = []
    if isinstance(value, Mapping):
        for key, child in value.items():
            name = key if key.isidentifier() and key.isascii() and not _is_word(key) else _quoted(key)
            out += _entry(f"{indent}{name}:", child, depth)
    elif isinstance(value, list | tuple):
        for child in value:
            out += _entry(f"{indent}-", child, depth)
    return out


def _entry(head: str, child: object, depth: int) -> list[str]:
    if isinstance(child, Mapping | list | tuple) and child:
        return [f"{head}\n", *_block(child, depth + 1)]
    return [f"{head} {_quoted(child)}\n"]


def _quoted(value: object) -> str:
    """Write a scalar as JSON, with what YAML does not print (or would fold) escaped as well."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _is_word(key: str) -> bool:
    """Tell whether some YAML reader takes a plain key for a boolean or null."""
    return key.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
