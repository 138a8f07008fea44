"""The types of check, each in a file of its own."""

from __future__ import annotations

from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.nearest import nearest
from akili_cli.features.alerts.checks.base import CheckType
from akili_cli.features.alerts.checks.command import COMMAND
from akili_cli.features.alerts.checks.heartbeat_missing import HEARTBEAT_MISSING
from akili_cli.features.alerts.checks.http_status import HTTP_STATUS
from akili_cli.features.alerts.checks.tcp import TCP
from akili_cli.features.alerts.checks.tls_expiry import TLS_EXPIRY
from akili_cli.features.alerts.model import Check

TYPES: dict[str, CheckType] = {one.name: one for one in (HTTP_STATUS, TCP, TLS_EXPIRY, COMMAND, HEARTBEAT_MISSING)}


def check_type(name: str) -> CheckType:
    """Find a type; raises ``InvalidArgumentsError`` that names the nearest."""
    if name not in TYPES:
        raise InvalidArgumentsError(
            f"there is no type of check {name[:40]!r}{nearest(name, TYPES)}", hint=f"types are {', '.join(TYPES)}"
        )
    return TYPES[name]


def filled(check: Check, before: Check | None = None) -> Check:
    """Give a check with what its type takes from the target filled in, or changed with the target.

    Raises ``InvalidArgumentsError`` for a check that could never work.
    """
    kind = check_type(check.type)
    config = dict(check.config)
    if kind.from_target is not None:
        derived = before is not None and config.get(kind.from_target) == before.target
        if derived or not config.get(kind.from_target):
            config[kind.from_target] = check.target
    problem = kind.problem(check.target, config)
    if problem is not None:
        raise InvalidArgumentsError(f"{check.type}: {problem}", hint=f"settings of {check.type}: {kind.help}")
    return Check(check.type, check.target, config)
