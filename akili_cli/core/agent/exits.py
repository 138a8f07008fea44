"""The exit code of each way a run can end. On its own, because every command that asks something reads it first."""

from __future__ import annotations

from collections.abc import Mapping

from akili_cli.domain.calls import Status

EXIT_CODES: Mapping[Status, int] = {
    Status.OK: 0,
    Status.PLANNED: 0,
    Status.FAILED: 1,
    Status.INVALID: 1,
    Status.TIMEOUT: 1,
    Status.DENIED: 2,
    Status.APPROVAL_REQUIRED: 2,
    Status.BUDGET_EXCEEDED: 2,
    Status.UNAVAILABLE: 3,
    Status.INTERRUPTED: 130,
}
DETAILED_EXIT_CODES: Mapping[Status, int] = {
    **EXIT_CODES,
    Status.APPROVAL_REQUIRED: 10,
    Status.DENIED: 11,
    Status.BUDGET_EXCEEDED: 12,
    Status.TIMEOUT: 13,
}
