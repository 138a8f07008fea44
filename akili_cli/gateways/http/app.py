"""The HTTP application: every route by hand, each listed in ``routes``."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI

from akili_cli.gateways.http.desk import Desk
from akili_cli.gateways.http.documented import documented
from akili_cli.gateways.http.errors import install_errors
from akili_cli.gateways.http.routes import ROUTERS


def create_app(desk: Desk, more: Iterable[APIRouter] = ()) -> FastAPI:
    """Give the application, with ``more`` routes beside its own; ``app.state.desk`` is what they work with."""
    app = documented(pages=desk.settings.enable_docs)
    app.state.desk = desk
    install_errors(app)
    for router in (*ROUTERS, *more):
        app.include_router(router)
    return app
