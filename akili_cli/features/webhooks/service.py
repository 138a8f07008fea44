"""The verbs on deliveries: tell whether one is genuine, take it once, and note what it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, RateLimitedError
from akili_cli.domain.ids import new_uuid
from akili_cli.features.webhooks import store
from akili_cli.features.webhooks.model import Claimed, Webhook
from akili_cli.features.webhooks.signatures import WINDOW_S, check_signature, check_token, refused

HOUR_S = 3600.0
SIGNATURE_S = 2.0 * WINDOW_S + 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookService:
    """The webhooks of one organisation. What was delivered is known to all nodes, and after a restart."""

    db: Database
    org: str
    clock: Clock
    hooks: Mapping[str, Webhook]

    def genuine(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[Webhook, str | None]:
        """Give the webhook that a delivery is for, and its signature if it is signed.

        Raises ``UnauthorizedError``, the same for a webhook that is not there. ``headers`` have small names.
        """
        hook = self.hooks.get(name)
        if hook is None:
            raise refused()
        if hook.settings.kind == "alertmanager":
            check_token(headers.get("authorization"), hook.secret)
            return hook, None
        return hook, check_signature(headers.get("x-akili-signature"), body, hook.secret, self.clock.now())

    async def take(self, hook: Webhook, signature: str | None, alerts: tuple[str, ...]) -> Claimed:
        """Take a delivery, once.

        Raises ``ConflictError`` for a signature that came before, ``RateLimitedError`` when the webhook has begun as
        many runs in an hour as it may; then nothing is noted. Alerts that came within the hour, all of them, begin
        nothing more.
        """
        name, now, claim = hook.settings.name, self.clock.now(), new_uuid()

        def work(conn: Connection) -> Claimed:
            store.lock(conn, self.org, name, now + HOUR_S)
            store.forget(conn, self.org, name, now)
            if signature is not None and not store.mark(
                conn, self.org, name, f"signature {signature}", claim, now + SIGNATURE_S
            ):
                raise ConflictError("this delivery came before", hint="sign each one anew, with the time it is sent at")
            fresh = [one for one in alerts if store.mark(conn, self.org, name, one, claim, now + HOUR_S)]
            if alerts and not fresh:
                return Claimed(claim, store.run_of(conn, self.org, name, alerts[0]) or "")
            ends = store.begun(conn, self.org, name)
            if len(ends) >= hook.settings.max_per_hour:
                raise RateLimitedError(
                    f"{name} has begun {len(ends)} runs within an hour",
                    retry_after_s=max(1.0, ends[0] - now),
                    hint="gateways.http.webhooks says how many may be",
                )
            store.mark(conn, self.org, name, f"run {claim}", claim, now + HOUR_S)
            return Claimed(claim)

        return await self.db.write(work, durable=True)

    async def led_to(self, hook: Webhook, claimed: Claimed, run_id: str) -> None:
        """Note which run a delivery began."""
        name = hook.settings.name
        await self.db.write(lambda conn: store.led_to(conn, self.org, name, claimed.claim, run_id))

    async def release(self, hook: Webhook, claimed: Claimed) -> None:
        """Take a delivery back that could begin nothing, so that it may come again."""
        name = hook.settings.name
        await self.db.write(lambda conn: store.release(conn, self.org, name, claimed.claim))
