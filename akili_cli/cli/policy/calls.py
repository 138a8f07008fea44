"""How the policy commands write a call on one line."""

from __future__ import annotations

from collections.abc import Mapping

from akili_cli.domain.calls import canonical_json

WIDTH = 72


def line_of_call(tool: str, arguments: Mapping[str, object]) -> str:
    """Give the tool and what it is asked for, cut to one line."""
    told = next((str(arguments[key]) for key in ("command", "path", "url", "repo_path") if key in arguments), None)
    text = " ".join(f"{tool}: {canonical_json(dict(arguments)) if told is None else told}".split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
