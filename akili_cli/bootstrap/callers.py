"""Wires who may come in: keys that are kept, keys of the configuration, and the edge that asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akili_cli.bootstrap.policy import admin_finder, role_finder
from akili_cli.core.audit.log import AuditLog
from akili_cli.features.keys.service import KeyService
from akili_cli.gateways.http.settings import check_http
from akili_cli.gateways.http.static_keys import open_static_keys

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from akili_cli.bootstrap.app import State
    from akili_cli.gateways.http.edge import Edge


def open_keys(state: State, audit: AuditLog) -> KeyService:
    """Give the API keys of the state's organisation."""
    return KeyService(
        db=state.db,
        org=state.org,
        clock=state.clock,
        audit=audit,
        role_of=role_finder(state.loaded),
        is_admin=admin_finder(state.loaded),
        register=state.redactor.register,
    )


async def open_edge(app: ASGIApp, state: State, audit: AuditLog) -> tuple[Edge, tuple[str, ...]]:
    """Put an application behind the edge; give that and what the operator should be warned of.

    Raises ``ConfigError`` for a key that anybody could guess, and for a listener without any key that other machines
    could reach.
    """
    from akili_cli.gateways.http.auth import Authenticator
    from akili_cli.gateways.http.edge import Edge
    from akili_cli.gateways.http.limits import Buckets

    settings, keys = state.loaded.settings.gateways.http, open_keys(state, audit)
    static = open_static_keys(
        settings.api_key_user_mapping,
        state.start.env,
        resolve=state.secrets.resolve,
        register=state.redactor.register,
    )
    warnings = check_http(settings, has_keys=bool(static.keys) or await keys.reader.has_live())
    edge = Edge(
        app,
        authenticator=Authenticator(static, keys, state.clock, state.org),
        limits=Buckets(settings.rate_limit.requests_per_minute, settings.rate_limit.burst_size, state.clock),
        settings=settings,
        redactor=state.redactor,
        clock=state.clock,
    )
    return edge, warnings
