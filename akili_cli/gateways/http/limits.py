"""How often somebody may come: token buckets in memory, bounded, and the brake on guessed keys."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address

from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import RateLimitedError

MAX_BUCKETS = 10_000
MAX_FAILURES_PER_MINUTE = 10
_MINUTE = 60.0
_NETWORK_BITS = 64


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Buckets:
    """One bucket for each name: full at first, refilled steadily, one token for each request.

    ``per_minute`` 0 means no limit. At most 10,000 are kept; whoever was away longest begins anew.
    """

    per_minute: int
    burst: int
    clock: Clock
    _kept: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    @property
    def capacity(self) -> float:
        """How many requests may come at once."""
        return float(max(1, self.burst or self.per_minute))

    def take(self, name: str) -> None:
        """Take one token; raises ``RateLimitedError`` that says when there will be one."""
        if self.per_minute == 0:
            return
        bucket = self._refilled(name)
        if bucket.tokens < 1:
            wait = (1 - bucket.tokens) * _MINUTE / self.per_minute
            raise RateLimitedError("too many requests", retry_after_s=wait, hint="slow down; see Retry-After")
        bucket.tokens -= 1

    def give_back(self, name: str) -> None:
        """Undo a ``take``."""
        if self.per_minute:
            bucket = self._refilled(name)
            bucket.tokens = min(self.capacity, bucket.tokens + 1)

    def _refilled(self, name: str) -> _Bucket:
        now = self.clock.monotonic()
        bucket = self._kept.setdefault(name, _Bucket(self.capacity, now))
        self._kept.move_to_end(name)
        bucket.tokens = min(self.capacity, bucket.tokens + (now - bucket.at) * self.per_minute / _MINUTE)
        bucket.at = now
        if len(self._kept) > MAX_BUCKETS:
            self._kept.popitem(last=False)
        return bucket


def failure_brake(clock: Clock) -> Buckets:
    """Give the brake on wrong keys: so many a minute from one peer."""
    return Buckets(MAX_FAILURES_PER_MINUTE, MAX_FAILURES_PER_MINUTE, clock)


def peer_name(address: str) -> str:
    """Give what counts as one peer: an IPv4 address, or the network of an IPv6 address (one host has all of it)."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Network((int(found), _NETWORK_BITS), strict=False))
    return str(found)
