"""Opens the webhooks of the configuration, or refuses to: what they begin must not be an admin's."""

from __future__ import annotations

from akili_cli.bootstrap.app import App
from akili_cli.bootstrap.policy import ADMIN, role_finder
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import AkiliError, ConfigError
from akili_cli.features.webhooks.model import Webhook
from akili_cli.features.webhooks.service import WebhookService
from akili_cli.features.webhooks.settings import WebhookSettings
from akili_cli.gateways.http.weak import weakness

PLACE = "gateways.http.webhooks"


def open_webhooks(app: App) -> WebhookService:
    """Give the webhooks with their secrets, which are hidden from here on; raises ``ConfigError`` that names one."""
    state = app.state
    role_of, hooks = role_finder(state.loaded), {}
    for hook in state.loaded.settings.gateways.http.webhooks:
        check_role(hook, role_of(Principal(hook.user, Source.HTTP, org=state.org)))
        hooks[hook.name] = Webhook(hook, _secret(app, hook))
    return WebhookService(db=state.db, org=state.org, clock=state.clock, hooks=hooks)


def check_role(hook: WebhookSettings, role: str | None) -> None:
    """Raise ``ConfigError`` unless a webhook's user has a role, not an admin's, and the one that the webhook wants."""
    where = f"{PLACE}: {hook.name}"
    if role is None:
        raise ConfigError(f"{where}: the user {hook.user!r} has no role", hint="give it one in security.user_roles")
    if role == ADMIN:
        raise ConfigError(
            f"{where}: the user {hook.user!r} has the role {ADMIN}, and whoever holds the secret would have it",
            hint="name a user whose role may only look",
        )
    if hook.role not in (None, role):
        raise ConfigError(
            f"{where}: the user {hook.user!r} has the role {role!r}, and the webhook wants {hook.role!r}",
            hint="change security.user_roles, or the webhook's role",
        )


def _secret(app: App, hook: WebhookSettings) -> str:
    try:
        secret = app.state.secrets.resolve(hook.secret)
    except AkiliError as error:
        raise ConfigError(f"{PLACE}: {hook.name}: its secret cannot be read: {error}", hint=error.hint) from error
    wrong = weakness(secret)
    if wrong:
        raise ConfigError(f"{PLACE}: {hook.name}: its secret {wrong}", hint="make one with: openssl rand -hex 32")
    app.state.redactor.register(secret, "webhook secret")
    return secret
