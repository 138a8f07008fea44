"""Wires the API keys, for the terminal and for the gateway."""

from __future__ import annotations

from akili_cli.bootstrap.app import State
from akili_cli.bootstrap.policy import admin_finder, role_finder
from akili_cli.core.audit.log import AuditLog
from akili_cli.features.keys.service import KeyService


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
