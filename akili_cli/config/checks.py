"""What no single field can tell: names that must exist elsewhere, entries that could never match anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.entries import (
    DSN_PASSWORD,
    PLACEHOLDERS,
    PLANNED_EFFECTS,
    REFERENCE,
    SEED_PROVIDERS,
    bad_path,
    bad_reference,
    bad_tool,
    entry_problems,
)
from akili_cli.config.lines import Problem
from akili_cli.config.secret_checks import secret_problems
from akili_cli.config.tree import pick
from akili_cli.core.policy.builtin import RESERVED
from akili_cli.domain.nearest import nearest


def cross_problems(data: Mapping[str, object]) -> list[Problem]:
    """Find what is wrong between the keys of a merged configuration; tolerates values of wrong types."""
    return [
        *entry_problems(data),
        *_names(data),
        *_sandbox(data),
        *_policies(data),
        *_approval(data),
        *_storage(data),
        *_providers(data),
        *secret_problems(data),
        *_budget(data),
        *_alerting(data),
    ]


def _approval(data: Mapping[str, object]) -> Iterator[Problem]:
    """An auto-approval without tools would look on and be off."""
    for path, enabled in pick(data, "approval.auto_approval.enabled"):
        if enabled is True and not list(pick(data, "approval.auto_approval.allowed_tools.*")):
            yield Problem(path, "is true and allowed_tools is empty, so it would approve nothing; name the tools")


def _names(data: object) -> Iterator[Problem]:
    roles = _keys(data, "security.roles")
    for pattern in ("security.default_role", "security.user_roles.*", "policies.rules.*.match.roles.*"):
        for path, value in pick(data, pattern):
            if isinstance(value, str) and value not in roles:
                known = nearest(value, roles) or f"; roles are {', '.join(roles) or 'none'}"
                yield Problem(path, f"there is no role {value[:60]!r}{known}")


def _policies(data: object) -> Iterator[Problem]:
    listed = [str(value) for _, value in pick(data, "policies.policies.*.name")]
    mapped = _keys(data, "policies.capabilities")
    if listed and mapped:
        yield Problem(("policies", "policies"), "write either `capabilities` or `policies`, not both")
    yield from _twice(pick(data, "policies.policies.*.name"), "policy name")
    yield from _twice(pick(data, "policies.rules.*.id"), "rule id")
    names = (*mapped, *listed)
    for path, value in pick(data, "policies.bindings.*"):
        if isinstance(value, str) and value not in names:
            known = nearest(value, names) or f"; policies are {', '.join(names) or 'none'}"
            yield Problem(path, f"there is no policy {value[:60]!r}{known}")
    for path, value in pick(data, "policies.rules.*.id"):
        if value in RESERVED:
            yield Problem(path, f"{value!r} is the id of a built-in rule; give it another")
    for path, value in pick(data, "policies.rules.*"):
        if isinstance(value, dict):
            yield from _rule(path, value)


def _twice(found: Iterable[tuple[KeyPath, object]], what: str) -> Iterator[Problem]:
    seen: set[object] = set()
    for path, value in found:
        if isinstance(value, str) and value in seen:
            yield Problem(path, f"the {what} {value[:60]!r} is used twice")
        seen.add(value if isinstance(value, str) else None)


def _rule(path: KeyPath, rule: Mapping[str, object]) -> Iterator[Problem]:
    match, verdict = rule.get("match"), rule.get("verdict")
    if isinstance(match, dict):
        for key, value in match.items():
            if value == []:
                yield Problem((*path, "match", key), "is empty and would match nothing; remove it or fill it")
            if key in PLANNED_EFFECTS:
                what = f"no tool of this version has the effect `{key}` yet; remove it"
                yield Problem((*path, "match", key), what)
        hours = match.get("hours")
        if isinstance(hours, dict):
            yield from _hours((*path, "match", "hours"), hours)
            yield from _timeless(path, rule)
        if verdict == "allow" and not match:
            yield Problem((*path, "match"), "an allow rule must say what it allows")
        low, high = match.get("min_risk"), match.get("max_risk")
        order = ("low", "medium", "high", "critical")
        if low in order and high in order and order.index(low) > order.index(high):
            yield Problem((*path, "match", "min_risk"), "is above max_risk, so the rule could never match")
    if rule.get("risk") is not None and verdict in ("ask", "deny"):
        yield Problem((*path, "risk"), "only an allow rule may set the risk")


def _hours(path: KeyPath, hours: Mapping[str, object]) -> Iterator[Problem]:
    if hours.get("days") == []:
        yield Problem((*path, "days"), "is empty and would match nothing; remove it or fill it")
    if hours.get("from") is not None and hours.get("from") == hours.get("to"):
        yield Problem((*path, "to"), "is the same time as from; a whole day is 00:00 to 24:00")
    for name in ("from", "to"):
        if isinstance(hours.get(name), int | float):
            yield Problem((*path, name), 'must be text; put it in quotes, as "22:00"')
    if hours.get("from") == "24:00":
        yield Problem((*path, "from"), "must be before midnight; the first minute of a day is 00:00")


def _timeless(path: KeyPath, rule: Mapping[str, object]) -> Iterator[Problem]:
    examples = rule.get("examples")
    for index, example in enumerate(examples if isinstance(examples, list) else ()):
        if isinstance(example, dict) and "at" not in example:
            yield Problem((*path, "examples", index), "needs `at`: the rule speaks only at some hours")


def _sandbox(data: object) -> Iterator[Problem]:
    kind = next((value for _, value in pick(data, "sandbox.type")), "process")
    docker = next((value for _, value in pick(data, "sandbox.docker")), None)
    image = next((value for _, value in pick(data, "sandbox.docker.image")), None)
    if kind == "docker" and image is None:
        yield Problem(("sandbox", "docker", "image"), "is missing; `type: docker` needs the image that commands run in")
    if kind == "process" and docker is not None:
        yield Problem(
            ("sandbox", "docker"), "has no effect with `type: process`; set `sandbox.type: docker` or remove it"
        )


def _alerting(data: object) -> Iterator[Problem]:
    on = next((value for _, value in pick(data, "alerting.enabled")), False)
    tells = next((value for _, value in pick(data, "notification.enabled")), False)
    if on is True and tells is not True:
        yield Problem(("alerting", "enabled"), "needs `notification.enabled: true`: nobody would be told")


def _storage(data: object) -> Iterator[Problem]:
    driver = next((value for _, value in pick(data, "storage.driver")), "sqlite")
    dsn = next((value for _, value in pick(data, "storage.postgres.dsn")), None)
    at: KeyPath = ("storage", "postgres", "dsn")
    if driver == "postgres" and dsn is None:
        yield Problem(at, "is missing; postgres needs a DSN (or AKILI_DB_DSN)")
    if driver == "sqlite" and dsn is not None:
        yield Problem(at, "has no effect with `driver: sqlite`; set `storage.driver: postgres` or remove it")
    if isinstance(dsn, str):
        what = _bad_dsn(dsn)
        if what:
            yield Problem(at, what)
    for path, value in pick(data, "storage.sqlite.path"):
        what = bad_path(value) if isinstance(value, str) else None
        if what:
            yield Problem(path, what)


def _bad_dsn(dsn: str) -> str | None:
    scheme = dsn.partition("://")[0]
    if scheme not in ("postgres", "postgresql"):
        reference = REFERENCE.fullmatch(dsn)
        if reference is None:
            return "must be a postgres:// URL or a reference (env://NAME)"
        return bad_reference(reference[1], reference[2])
    password = DSN_PASSWORD.search(dsn)
    if password and password[1].lower() in PLACEHOLDERS:
        return "holds a placeholder password"
    return None


def _providers(data: object) -> Iterator[Problem]:
    section = dict(pick(data, "providers.*"))
    defined = {str(path[-1]) for path in section if path[-1] not in ("default", "fallback")}
    known = sorted(SEED_PROVIDERS | defined)
    for pattern in ("providers.default", "providers.fallback.*"):
        for path, value in pick(data, pattern):
            if isinstance(value, str) and value not in known:
                near = nearest(value, known) or f"; known: {', '.join(known)}"
                yield Problem(path, f"there is no provider {value[:60]!r}{near}")


def _budget(data: object) -> Iterator[Problem]:
    for path, _ in pick(data, "budget.tool_prices.*"):
        what = bad_tool(str(path[-1]))
        if what:
            yield Problem(path, what)


def _keys(data: object, pattern: str) -> tuple[str, ...]:
    return tuple(str(path[-1]) for path, _ in pick(data, f"{pattern}.*"))
