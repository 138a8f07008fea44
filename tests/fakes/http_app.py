"""The gateway's application behind its edge, in this process: everything real but the listener and the model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.app import App, Start, open_app, open_state
from akili_cli.bootstrap.keys import open_keys
from akili_cli.bootstrap.serving import open_desk, open_edge
from akili_cli.bootstrap.ticking import Ticking, open_ticking, switched_on
from akili_cli.gateways.http.app import create_app
from akili_cli.gateways.http.desk import Desk
from akili_cli.gateways.http.edge import Edge
from akili_cli.gateways.http.static_keys import open_static_keys

KEYS = {
    "ann": "kZ8d0fPq2LwX9aRt",
    "ben": "Yw71ncQe5TrB3uVs",
    "vic": "Hb5sLq9EjXv2NdWk",
    "root": "Gm4hJx6pDs0oKz2E",
}
"""Two who may make things, one who may only look, and an admin."""

ROLE: dict[str, Any] = {"max_risk_level": "high", "require_approval": []}
WORKS = ["read_files", "shell_exec", "send_notification", "create_cronjob", "create_alert", "web_search", "approve"]
TOLD: dict[str, Any] = {
    "security.roles": {
        "operator": {**ROLE, "permissions": WORKS},
        "viewer": {**ROLE, "permissions": ["read_files"], "max_risk_level": "low"},
        "admin": {**ROLE, "permissions": WORKS, "max_risk_level": "critical"},
    },
    "security.user_roles": {"root": "admin", "vic": "viewer"},
    "security.default_role": "operator",
    "scheduler.enabled": True,
    "alerting.enabled": True,
    "notification.enabled": True,
    "gateways.http.enabled": True,
    "gateways.http.sse": True,
    "gateways.http.enable_docs": True,
}


@dataclass
class Gateway:
    """An application that is asked in this process."""

    app: App
    ticking: Ticking
    desk: Desk
    api: FastAPI
    edge: Edge
    _clients: AsyncExitStack = field(default_factory=AsyncExitStack)
    _known: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def client_of(self, user: str) -> httpx.AsyncClient:
        """Give who asks as a user."""
        if user not in self._known:
            headers = {"Authorization": f"Bearer {KEYS[user]}"}
            self._known[user] = httpx.AsyncClient(
                transport=httpx.ASGITransport(self.edge), base_url="http://gateway.test", headers=headers
            )
        return self._known[user]

    async def close(self) -> None:
        for client in self._known.values():
            await client.aclose()


@asynccontextmanager
async def open_gateway(directory: Path, overrides: Mapping[str, Any] = {}, **env: str) -> AsyncIterator[Gateway]:
    """Open a workspace below a directory, and the application over it; ``overrides`` are dotted settings."""
    home = directory / "gateway-home"
    home.mkdir(mode=0o700, exist_ok=True)
    keys = ",".join(f"{key}:{user}" for user, key in KEYS.items())
    start = Start(
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "AKILI_API_KEYS": keys, **env},
        cwd=directory,
        overrides={**TOLD, **overrides},
        redactor=Redactor(),
    )
    async with (
        open_state(start) as state,
        open_app(state) as app,
        open_ticking(app, switched_on(app), durable=False) as ticking,
    ):
        desk = open_desk(app, ticking)
        api = create_app(desk)
        static = open_static_keys({}, start.env, resolve=state.secrets.resolve, register=state.redactor.register)
        gateway = Gateway(
            app, ticking, desk, api, open_edge(app, api, static, open_keys(app.state, app.pipeline.audit))
        )
        try:
            yield gateway
        finally:
            await gateway.close()
