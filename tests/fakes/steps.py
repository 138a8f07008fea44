"""Steps kept in a dict as JSON, as an engine keeps them; ``dies_after`` is a crash before a value is kept."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable


class CrashError(BaseException):
    """The process is gone."""


class DictSteps:
    def __init__(self, kept: dict[str, str] | None = None, dies_after: Iterable[str] = ()) -> None:
        self.run_id = "cron:j:1"
        self.kept = {} if kept is None else kept
        self._dies_after = set(dies_after)

    async def step(self, name: str, act: Callable[[], Awaitable[object]]) -> object:
        if name not in self.kept:
            value = json.dumps(await act())
            if name in self._dies_after:
                raise CrashError(name)
            self.kept[name] = value
        return json.loads(self.kept[name])

    async def sleep(self, seconds: float) -> None:
        pass
