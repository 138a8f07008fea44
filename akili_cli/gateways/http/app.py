"""The HTTP application: every route by hand, behind the edge that no route can forget."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from akili_cli import __version__
from akili_cli.gateways.http.desk import Desk

ROUTERS: tuple[APIRouter, ...] = ()
"""One per noun: a new one gets a line here."""


def create_app(desk: Desk) -> FastAPI:
    """Give the application; ``request.app.state.desk`` is what its routes work with."""
    app = FastAPI(title="akili", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    for router in ROUTERS:
        app.include_router(router)
    return app
