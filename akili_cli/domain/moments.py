"""Points in time as people write them: so long ago, or an ISO time."""

from __future__ import annotations

from datetime import UTC, datetime

from akili_cli.domain.durations import parse_duration
from akili_cli.domain.errors import UsageError


def moment(text: str | None, now: float) -> float | None:
    """Turn ``2h`` (ago) or an ISO time (UTC unless it says otherwise) into epoch seconds; raises ``UsageError``."""
    if text is None:
        return None
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text[:40]!r} is no time", hint="write 30m, 24h, 2026-02-17 or 2026-02-17T12:30Z") from error
