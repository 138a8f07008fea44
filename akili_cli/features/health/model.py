"""What a readiness answer says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: ``message`` says why it failed, in words that are safe to show to strangers."""

    status: Literal["ok", "fail"]
    message: str = ""

    def as_dict(self) -> dict[str, str]:
        """Give a JSON-ready form; no message when there is none."""
        said: dict[str, str] = {"status": self.status}
        return said | {"message": self.message} if self.message else said


@dataclass(frozen=True, slots=True)
class Readiness:
    """Every check by its name; ready when all of them are ok, also when there is none."""

    checks: Mapping[str, CheckResult]

    @property
    def ok(self) -> bool:
        """Whether the node may be given work."""
        return all(check.status == "ok" for check in self.checks.values())

    def as_dict(self) -> dict[str, object]:
        """Give the body of ``/readyz``."""
        return {
            "status": "ok" if self.ok else "degraded",
            "checks": {name: check.as_dict() for name, check in self.checks.items()},
        }


Check = Callable[[], Awaitable[None]]
"""Returns when all is well, raises ``AkiliError`` whose message says what is not."""
