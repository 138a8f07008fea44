"""Lets a call of a run that survives crashes begin once only, in the transaction that makes its intent durable."""

from __future__ import annotations

from collections.abc import Callable

from akili_cli.adapters.storage.base import Connection
from akili_cli.domain.calls import Run
from akili_cli.domain.errors import AlreadyBegunError


def begins_once(run: Run, now: float) -> Callable[[Connection], None]:
    """Give the check that notes the call as begun, or raises ``AlreadyBegunError``.

    It must be the last check of its transaction: what it writes is kept if that commits.
    """

    def check(connection: Connection) -> None:
        sql = (
            "INSERT INTO run_effects (org_id, run_id, call, begun_at) VALUES (:org, :run, :call, :now)"
            " ON CONFLICT DO NOTHING"
        )
        values = {"org": run.principal.org, "run": run.id, "call": run.once, "now": now}
        if connection.changed(sql, values) != 1:
            raise AlreadyBegunError("this call was begun before, and the run was cut off; how far it came is not known")

    return check
