"""Remembers results of read-only tools for a minute, asked only after policy has said yes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.clock import Clock

TTL_S = 60.0
MAX_ENTRIES = 256


class ResultCache:
    """A bounded map from (call digest, policy digest) to a successful output.

    The call digest holds organisation and user, so nobody sees what another was allowed to read; the policy
    digest makes a changed rule forget everything.
    """

    def __init__(self, clock: Clock, *, ttl_s: float = TTL_S, max_entries: int = MAX_ENTRIES) -> None:
        """Start empty."""
        self._clock = clock
        self._ttl_s = ttl_s
        self._max = max_entries
        self._entries: OrderedDict[str, tuple[float, ToolOutput]] = OrderedDict()

    @staticmethod
    def key(digest: str, policy_digest: str) -> str:
        """Combine the two digests."""
        return hashlib.sha256(f"{digest}|{policy_digest}".encode()).hexdigest()

    def get(self, key: str) -> ToolOutput | None:
        """Give a result that is still fresh."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock.monotonic():
            self._entries.pop(key, None)
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: str, output: ToolOutput) -> None:
        """Remember a result; the one unused longest makes room."""
        self._entries[key] = (self._clock.monotonic() + self._ttl_s, output)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: something was written."""
        self._entries.clear()
