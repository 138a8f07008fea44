"""Every route of the gateway, by noun."""

from __future__ import annotations

from fastapi import APIRouter

from akili_cli.gateways.http.routes import (
    alerts,
    approvals,
    approve,
    audit,
    budget,
    channels,
    console,
    conversations,
    cronjobs,
    heartbeats,
    plans,
    policy,
    query,
    runbooks,
    runs,
    undo,
    webhooks,
    workflows,
)

ROUTERS: tuple[APIRouter, ...] = (
    alerts.router,
    approvals.router,
    approve.router,
    audit.router,
    budget.router,
    channels.router,
    console.router,
    conversations.router,
    cronjobs.router,
    heartbeats.router,
    plans.router,
    policy.router,
    query.router,
    runbooks.router,
    runs.router,
    undo.router,
    webhooks.router,
    workflows.router,
)
"""One per noun: a new one gets a name here."""
