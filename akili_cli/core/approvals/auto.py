"""Smart auto-approval: what people approved by hand often enough goes through, within an hourly cap."""

from __future__ import annotations

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.approvals import store
from akili_cli.core.approvals.grants import Asked, grantable
from akili_cli.core.approvals.settings import AutoApprovalSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.risk import Risk

HOUR_S = 3600
APPROVER = "auto-approval"


class AutoApproval:
    """Counts rulings in the store, so a restart forgets nothing and two processes share one cap."""

    def __init__(self, db: Database, org: str, clock: Clock, settings: AutoApprovalSettings) -> None:
        """Keep the parts."""
        self._db = db
        self._org = org
        self._clock = clock
        self._settings = settings

    async def claim(self, asked: Asked) -> bool:
        """Tell whether this call goes through by itself, and count it against the hour in the same transaction.

        What people approved at a lower risk than the call has now does not count.
        """
        settings = self._settings
        if not settings.enabled or asked.tool not in settings.allowed_tools or grantable(asked) is not None:
            return False
        now = self._clock.now()
        since = now - settings.window_hours * HOUR_S
        risks = tuple(str(risk) for risk in Risk if risk >= asked.decision.risk)

        def count(conn: Connection) -> bool:
            if store.manual_approvals(conn, self._org, asked.digest, since, risks) < settings.required_approvals:
                return False
            return _use_hour(conn, self._org, asked.user, int(now // HOUR_S), settings.max_auto_approvals)

        return await self._db.write(count, durable=True)


def _use_hour(conn: Connection, org: str, user: str, hour: int, cap: int) -> bool:
    sql = (
        "INSERT INTO auto_approvals (org_id, user_id, hour, used) VALUES (:org, :user, :hour, 1) "
        "ON CONFLICT (org_id, user_id, hour) DO UPDATE SET used = auto_approvals.used + 1 "
        "WHERE auto_approvals.used < :cap RETURNING used"
    )
    return bool(conn.execute(sql, {"org": org, "user": user, "hour": hour, "cap": cap}))
