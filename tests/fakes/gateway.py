"""A gateway in this process: everything real, on a free loopback port, with the model server of a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from akili_cli.bootstrap.app import App, Start, open_app, open_state
from akili_cli.bootstrap.serving import Serving, open_http
from akili_cli.bootstrap.ticking import Ticking, open_ticking, switched_on
from akili_cli.domain.calls import Principal, Source
from tests.integration.akili import ROLE, Akili

KEYS = {"ann": "kZ8d0fPq2LwX9aRt", "ben": "Yw71ncQe5TrB3uVs", "root": "Gm4hJx6pDs0oKz2E"}
TOLD: dict[str, Any] = {
    "security": {
        "roles": {
            "operator": {**ROLE, "permissions": [*ROLE["permissions"], "create_cronjob"], "max_risk_level": "high"},
            "admin": {**ROLE, "max_risk_level": "critical"},
        },
        "user_roles": {"root": "admin"},
        "default_role": "operator",
    },
    "gateways": {"http": {"enabled": True, "listen_addr": "127.0.0.1:0", "sse": True, "enable_docs": True}},
}


def api_keys() -> str:
    """Give the value of ``AKILI_API_KEYS`` that lets everybody in."""
    return ",".join(f"{key}:{user}" for user, key in KEYS.items())


@dataclass(frozen=True)
class SseFrame:
    id: str
    event: str
    data: dict[str, Any]


@dataclass
class Node:
    """A gateway that serves; ``root`` may see and change everything."""

    url: str
    app: App
    ticking: Ticking
    serving: Serving
    comments: list[str] = field(default_factory=list)

    def client(self, user: str = "ann") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {KEYS[user]}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, verify=False)  # no TLS

    async def approve(self, approval_id: str) -> None:
        await self.app.pipeline.resume(approval_id, Principal("chief", Source.CLI))


async def frames(answer: httpx.Response, comments: list[str] | None = None) -> AsyncIterator[SseFrame]:
    """Read a stream's frames as they come; what is only a comment goes to ``comments``."""
    found: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            if comments is not None:
                comments.append(line[1:].strip())
        elif line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif found:
            yield SseFrame(found.get("id", ""), found["event"], json.loads(found["data"]))
            found = {}


@asynccontextmanager
async def gateway(
    akili: Akili, model_url: str = "", *, durable: bool = False, **sections: Mapping[str, Any]
) -> AsyncIterator[Node]:
    """Serve until the block ends; durable runs that are under way then are left to be resumed."""
    akili.configure(model_url=model_url, **{**TOLD, **sections})
    start = Start(env=akili.environment(AKILI_API_KEYS=api_keys()), cwd=akili.work)
    async with (
        open_state(start) as state,
        open_app(state) as app,
        open_ticking(app, switched_on(app), durable=durable) as ticking,
        open_http(app, ticking, drain_s=0) as serving,
    ):
        tasks = [asyncio.create_task(serving.server.run()), asyncio.create_task(ticking.ticker.run())]
        try:
            yield Node(serving.url, app, ticking, serving)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await serving.end()
