"""Every route of the gateway, by noun."""

from __future__ import annotations

from fastapi import APIRouter

from akili_cli.gateways.http.routes import console, query, runs

ROUTERS: tuple[APIRouter, ...] = (console.router, query.router, runs.router)
"""One per noun: a new one gets a name here."""
