"""Anchors: one signed line that says where every stream stood, to be kept on another machine.

The chain finds what was changed inside it; only something kept elsewhere finds that its end was cut off, that the
newest streams were removed, or that the whole workspace was put back to an older copy. Streams that ended a while
before the anchor are stated by one digest, all others one by one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Database, Row
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import ChainKey
from akili_cli.domain.calls import canonical_json
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AuditError

SETTLED_S = 3600.0
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the streams stood ``at`` a time: each open one as (entries, last hash), the settled ones as a digest."""

    at: float
    settled: int
    digest: str
    streams: Mapping[str, tuple[int, str]]

    def line(self, key: ChainKey) -> str:
        """Give the one signed line."""
        body = self._body()
        return canonical_json({**body, "mac": key.anchor_mac(canonical_json(body))})

    def _body(self) -> dict[str, object]:
        streams = {name: list(end) for name, end in self.streams.items()}
        return {
            "akili_audit_anchor": _VERSION,
            "at": self.at,
            "settled": self.settled,
            "settled_sha256": self.digest,
            "streams": streams,
        }


async def take_anchor(db: Database, key: bytes, clock: Clock, org: str | None = None) -> Anchor:
    """State every stream's head (of an organisation); raises ``AuditError`` when one is not as akili wrote it."""
    at, chain = clock.now(), ChainKey(key)  # the time first: what ends after this is stated one by one
    heads = await db.read(lambda connection: store.heads(connection, org))
    for head in heads:
        if not chain.head_mac_fits(head):
            raise AuditError(f"the head row of {head['stream']} was changed", hint="run 'akili audit verify'")
    old = [head for head in heads if _is_settled(head, at)]
    streams = {str(head["stream"]): _end(head) for head in heads if not _is_settled(head, at)}
    return Anchor(at, len(old), digest_of(old), streams)


def settled_heads(heads: Sequence[Row], anchor: Anchor) -> list[Row]:
    """Give the heads that an anchor states by its digest, if nothing is missing."""
    return [head for head in heads if _is_settled(head, anchor.at) and str(head["stream"]) not in anchor.streams]


def digest_of(heads: Sequence[Row]) -> str:
    """Give one digest over the ends of streams."""
    ends = sorted([str(head["stream"]), *_end(head)] for head in heads)
    return hashlib.sha256(canonical_json(ends).encode()).hexdigest()


def parse_anchors(text: str, key: bytes) -> list[Anchor]:
    """Read a file of anchors, one a line; raises ``AuditError`` that names a line this workspace did not write."""
    chain = ChainKey(key)
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise AuditError("the file holds no anchor", hint="akili audit anchor prints one")
    return [_parse(line, number, chain) for number, line in lines]


def _parse(line: str, number: int, chain: ChainKey) -> Anchor:
    try:
        said = json.loads(line)
        mac = str(said.pop("mac"))
        genuine = said["akili_audit_anchor"] == _VERSION and chain.anchor_mac_fits(canonical_json(said), mac)
        streams = {str(name): (int(count), str(end)) for name, (count, end) in said["streams"].items()}
        anchor = Anchor(float(said["at"]), int(said["settled"]), str(said["settled_sha256"]), streams)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AuditError(f"line {number} is no anchor", hint="akili audit anchor writes one a line") from error
    if not genuine:
        raise AuditError(
            f"line {number} is no anchor of this workspace: it was changed, or written with another key",
            hint="use the file as it was kept elsewhere",
        )
    return anchor


def _is_settled(head: Row, at: float) -> bool:
    closed_at = head["closed_at"]
    return isinstance(closed_at, float) and closed_at < at - SETTLED_S


def _end(head: Row) -> tuple[int, str]:
    count = head["count"]
    return (count if isinstance(count, int) else -1, str(head["head_hash"]))
