"""Names a request by its route's template, so that there are only as many names as routes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.routing import BaseRoute, compile_path

UNMATCHED = "unmatched"


class Templates:
    """The templates of an application's routes; a path that no route has is ``unmatched``."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Keep the templates, those without a variable part first."""
        found = tuple(dict.fromkeys(_templates(routes)))
        self._plain = frozenset(template for template in found if "{" not in template)
        self._patterns: tuple[tuple[re.Pattern[str], str], ...] = tuple(
            (compile_path(template)[0], template) for template in found if "{" in template
        )

    def of(self, path: str) -> str:
        """Give the template that a path fits, as ``/v1/runs/{run_id}``."""
        if path in self._plain:
            return path
        return next((template for pattern, template in self._patterns if pattern.match(path)), UNMATCHED)


def _templates(routes: Iterable[BaseRoute]) -> Iterable[str]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _templates(included.routes)
        elif isinstance(path := getattr(route, "path", None), str):
            yield path
