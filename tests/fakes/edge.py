"""The edge before a small application that says what reached it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.responses import StreamingResponse

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.errors import NotFoundError, StorageError
from akili_cli.gateways.http.auth import Authenticator, caller
from akili_cli.gateways.http.edge import Edge
from akili_cli.gateways.http.errors import install_errors
from akili_cli.gateways.http.limits import Buckets
from akili_cli.gateways.http.settings import HttpSettings
from akili_cli.gateways.http.static_keys import open_static_keys
from tests.fakes.keys import KeysRoom, keys_room

ANN_KEY, BEN_KEY = "k7Qz9mTr4Lw2Vx8Np3", "p4Jd8sKf2Hy6Bn1Wc5"
SECRET = "s3cr3t-of-the-house"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    b: int


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    a: Inner
    text: str = ""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    ended: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """Sends requests straight into the edge, also such as no client would make."""

    edge: Edge
    room: KeysRoom

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | list[bytes] = b"",
        headers: Mapping[str, str] | list[tuple[str, str]] = {},  # noqa: B006 - never changed
        *,
        peer: str = "192.0.2.7",
        ends: bool = True,
    ) -> Answer:
        """Send one; ``ends`` False leaves the body without its last piece."""
        pieces = [body] if isinstance(body, bytes) else body
        coming = [
            {"type": "http.request", "body": piece, "more_body": not ends or at < len(pieces) - 1}
            for at, piece in enumerate(pieces)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if coming:
                return coming.pop(0)
            if not ends:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        given = headers.items() if isinstance(headers, Mapping) else headers
        await self.edge(
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": path.partition("?")[0],
                "raw_path": path.partition("?")[0].encode(),
                "query_string": path.partition("?")[2].encode(),
                "root_path": "",
                "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given],
                "client": (peer, 1234),
                "server": ("127.0.0.1", 8080),
                "state": {},
            },
            receive,
            send,
        )
        start = sent[0]
        out: dict[str, str] = {}
        for name, value in start["headers"]:
            out[name.decode()] = value.decode()
        parts = [message.get("body", b"") for message in sent[1:]]
        return Answer(start["status"], out, b"".join(parts), ended=not sent[-1].get("more_body", False))

    async def post(self, body: bytes | list[bytes], path: str = "/v1/echo", **more: Any) -> Answer:
        """Send a body as ann, with the headers a client would set."""
        size = len(body) if isinstance(body, bytes) else sum(map(len, body))
        named = {"authorization": f"Bearer {ANN_KEY}", "content-type": "application/json", "content-length": str(size)}
        return await self.ask("POST", path, body, {**named, **more.pop("headers", {})}, **more)

    async def get(self, path: str = "/v1/who", key: str = ANN_KEY, **headers: str) -> Answer:
        return await self.ask("GET", path, headers={"authorization": f"Bearer {key}", **headers})


def application() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    install_errors(app)

    @app.get("/v1/who")
    async def who(request: Request) -> dict[str, str]:
        found = caller(request)
        principal = found.principal
        return {"user": principal.user, "org": principal.org, "source": str(principal.source), "key": found.key_id}

    @app.post("/v1/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body(), media_type="application/json")

    @app.post("/v1/typed")
    async def typed(body: Body) -> dict[str, int]:
        return {"b": body.a.b}

    @app.get("/v1/page")
    async def page(limit: int) -> dict[str, int]:
        return {"limit": limit}

    @app.get("/v1/gone")
    async def gone() -> None:
        raise NotFoundError(f"there is no {SECRET}", hint="look elsewhere")

    @app.get("/v1/storage")
    async def storage() -> None:
        raise StorageError("the database is gone")

    @app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError(f"boom with {SECRET}")

    @app.get("/v1/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half an an"
            raise RuntimeError("boom")

        return StreamingResponse(parts())

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/docs")
    async def docs() -> Response:
        return Response("<html></html>", media_type="text/html")

    @app.get("/own-policy")
    async def own() -> Response:
        return Response("x", headers={"Content-Security-Policy": "default-src 'self'"})

    @app.get("/open")
    async def open_(request: Request) -> dict[str, str]:
        return {"user": caller(request).principal.user}

    return app


@asynccontextmanager
async def open_site(directory: Path, *, body_timeout_s: float = 5.0, **settings: object) -> AsyncIterator[Site]:
    http = HttpSettings.model_validate({"enabled": True, **settings})
    db = await open_sqlite(directory / "a.db")
    async with keys_room(db, directory) as room:
        room.redactor.register(SECRET, "house")
        static = open_static_keys(
            {ANN_KEY: "ann"}, {"AKILI_API_KEYS": f"{BEN_KEY}:ben"}, resolve=str, register=room.redactor.register
        )
        app = application()
        app.state.desk = SimpleNamespace(redactor=room.redactor)
        edge = Edge(
            app,
            authenticator=Authenticator(static, room.service, room.clock, "default"),
            limits=Buckets(http.rate_limit.requests_per_minute, http.rate_limit.burst_size, room.clock),
            settings=http,
            redactor=room.redactor,
            clock=room.clock,
            body_timeout_s=body_timeout_s,
        )
        yield Site(edge, room)
    await db.close()
