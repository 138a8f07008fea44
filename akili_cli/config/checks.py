"""What no single field can tell: names that must exist elsewhere, entries that could never match anything."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from akili_cli.adapters.files.yaml import KeyPath
from akili_cli.config.lines import Problem
from akili_cli.config.secret_checks import secret_problems
from akili_cli.config.tree import pick
from akili_cli.core.policy.hours import check_timezone, minutes_of
from akili_cli.core.sandbox.settings import IMAGE_PATTERN
from akili_cli.domain.calls import Source
from akili_cli.domain.hosts import host_name, split_host
from akili_cli.domain.nearest import nearest

PERMISSIONS = frozenset(
    {
        "read_files",
        "write_files",
        "web_search",
        "shell_exec",
        "browser_navigate",
        "git_read",
        "git_write",
        "code_exec",
        "database_read",
        "create_cronjob",
        "create_alert",
        "send_notification",
        "infra_lookup",
        "infra_manage",
        "infra_exec",
        "autonomous",
    }
)
TOOLS = frozenset(
    {
        "file_read",
        "file_write",
        "file_restore",
        "web_fetch",
        "shell_exec",
        "browser",
        "git_read",
        "git_write",
        "code_exec",
        "database_read",
        "create_cronjob",
        "create_alert",
        "send_notification",
        "infra_lookup",
        "infra_manage",
        "infra_exec",
    }
)
SEED_PROVIDERS = frozenset({"anthropic", "openai", "gemini", "ollama", "builtin"})
PROVIDER_KINDS = ("litellm", "openai_compatible", "builtin")
PLACEHOLDERS = frozenset({"change-me", "changeme", "change_me", "dev-key", "example", "placeholder", "secret"})
PLANNED_EFFECTS = frozenset({"nodes", "secrets", "servers", "channels"})
READ_SOURCES = frozenset({"cli", "repl"})
MAX_PORT = 65_535
_NUMBERS = (
    "budget.default_limit_usd",
    "budget.organisation_limit_usd",
    "budget.run_limit_usd",
    "budget.users.*",
    "budget.tool_prices.*",
    "agent.max_cost_usd",
    "providers.*.price.input_usd_per_million",
    "providers.*.price.output_usd_per_million",
)
_MCP = re.compile(r"mcp__[a-zA-Z0-9_-]+")
_REFERENCE = re.compile(r"([a-z]+)://(\S+)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DSN_PASSWORD = re.compile(r"://[^:/@\s]*:([^@/\s]*)@")
_IMAGE = re.compile(IMAGE_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_Check = Callable[[str], str | None]


def cross_problems(data: Mapping[str, object]) -> list[Problem]:
    """Find what is wrong between the keys of a merged configuration; tolerates values of wrong types."""
    return [
        *_entries(data),
        *_names(data),
        *_sandbox(data),
        *_policies(data),
        *_approval(data),
        *_storage(data),
        *_providers(data),
        *secret_problems(data),
        *_budget(data),
    ]


def _approval(data: Mapping[str, object]) -> Iterator[Problem]:
    """An auto-approval without tools would look on and be off."""
    for path, enabled in pick(data, "approval.auto_approval.enabled"):
        if enabled is True and not list(pick(data, "approval.auto_approval.allowed_tools.*")):
            yield Problem(path, "is true and allowed_tools is empty, so it would approve nothing; name the tools")


def _entries(data: object) -> Iterator[Problem]:
    """Check each entry of each list on its own."""
    rules = "policies.rules.*.match"
    capabilities = ("policies.capabilities.*", "policies.policies.*")
    table: tuple[tuple[_Check, tuple[str, ...]], ...] = (
        (
            _bad_path,
            (
                "tools.file.allowed_paths.*",
                "tools.git.allowed_paths.*",
                "runbooks.directories.*",
                *(f"{c}.{kind}_paths.*" for c in capabilities for kind in ("allowed", "denied")),
                *(f"{rules}.{kind}.*" for kind in ("paths", "reads", "writes", "deletes")),
            ),
        ),
        (
            _bad_domain,
            ("tools.web.allowed_domains.*",),
        ),
        (
            _bad_host,
            (
                f"{rules}.domains.*",
                *(f"{c}.{kind}_domains.*" for c in capabilities for kind in ("allowed", "denied")),
            ),
        ),
        (_bad_host_port, ("tools.web.allowed_private_hosts.*",)),
        (_bad_image, ("sandbox.docker.image",)),
        (
            _bad_command,
            (
                f"{rules}.commands.*",
                *(f"{c}.{kind}_commands.*" for c in capabilities for kind in ("allowed", "denied")),
            ),
        ),
        (_bad_permission, ("security.roles.*.permissions.*", f"{rules}.permissions.*")),
        (_bad_tool_or_permission, ("security.roles.*.require_approval.*",)),
        (
            _bad_tool,
            (
                f"{rules}.tools.*",
                "policies.rules.*.examples.*.tool",
                "approval.auto_approval.allowed_tools.*",
                *(
                    f"{c}.{kind}.*"
                    for c in capabilities
                    for kind in ("allowed_tools", "denied_tools", "require_approval")
                ),
            ),
        ),
        (_bad_key_reference, ("providers.*.api_key",)),
        (_bad_base_url, ("providers.*.base_url",)),
        (_bad_kind, ("providers.*.kind",)),
        (_bad_time, (f"{rules}.hours.from", f"{rules}.hours.to")),
        (_bad_zone, (f"{rules}.hours.timezone",)),
        (_bad_moment, ("policies.rules.*.examples.*.at",)),
        (_unread_effect, (f"{rules}.effects.*",)),
        (_unread_source, (f"{rules}.sources.*", "policies.rules.*.examples.*.source")),
    )
    for check, patterns in table:
        for pattern in patterns:
            for path, value in pick(data, pattern):
                what = check(value) if isinstance(value, str) else None
                if what:
                    yield Problem(path, what)
    for pattern in _NUMBERS:
        for path, value in pick(data, pattern):
            if isinstance(value, str | bool):
                yield Problem(path, f"must be a number, not {'text' if isinstance(value, str) else 'true/false'}")
    for path, value in pick(data, "tools.web.allowed_ports.*"):
        if isinstance(value, int) and not 0 < value <= MAX_PORT:
            yield Problem(path, "must be a port from 1 to 65535")


def _bad_path(text: str) -> str | None:
    if not text.strip():
        return "must not be empty"
    if "$" in text:
        return "variables are not expanded in paths; write the path out"
    if any(c in text for c in "*?["):
        return "patterns are not supported in paths; name the directory, everything below it is meant"
    if text.startswith("~") and text != "~" and not text.startswith("~/"):
        return "other users' homes are not expanded; write the path out"
    return None


def _bad_host(text: str) -> str | None:
    """Rules also speak of local sockets."""
    if not text.startswith("unix:"):
        return _bad_domain(text)
    path = text.removeprefix("unix:")
    return None if posixpath.isabs(path) and path == posixpath.normpath(path) else "must be unix: and a plain path"


def _bad_domain(text: str) -> str | None:
    if text in ("*", "*."):
        return "a bare * is not supported; name the domains, `*.example.com` means all hosts below one"
    if "://" in text or "/" in text:
        return "must be a host name, not a URL"
    name, port = split_host(text)
    if port and not _is_port(port):
        return "must have a port from 1 to 65535"
    if "*" in name.removeprefix("*."):
        return "a * stands only at the start, as `*.example.com`"
    if host_name(name.removeprefix("*.")) is None or name != name.strip():
        return "is not a domain"
    return None


def _bad_host_port(text: str) -> str | None:
    name, port = split_host(text)
    if not port or not _is_port(port) or "*" in name or host_name(name) is None:
        return "must be host:port, with the port from 1 to 65535"
    return None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PORT)) and 0 < int(text) <= MAX_PORT


def _bad_command(text: str) -> str | None:
    try:
        words = shlex.split(text)
    except ValueError as error:
        return f"cannot be read as a command: {str(error).lower()}"
    if not words:
        return "must name a program"
    if any(mark in text for mark in (";", "|", "&", "`", "$(", "\n")):
        return "must be one simple command without ; | & or substitution"
    if "*" in words[0]:
        return "patterns are not supported; name the program, arguments are optional"
    return None


def _bad_permission(text: str) -> str | None:
    if text in PERMISSIONS or _MCP.fullmatch(text):
        return None
    return f"there is no permission {text[:60]!r}{nearest(text, sorted(PERMISSIONS))}"


def _bad_tool(text: str) -> str | None:
    if text in TOOLS or _MCP.fullmatch(text):
        return None
    return f"there is no tool {text[:60]!r}{nearest(text, sorted(TOOLS))}"


def _bad_tool_or_permission(text: str) -> str | None:
    if text in PERMISSIONS or text in TOOLS or _MCP.fullmatch(text):
        return None
    return f"there is no permission or tool {text[:60]!r}{nearest(text, sorted(PERMISSIONS | TOOLS))}"


def _bad_key_reference(text: str) -> str | None:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return "must be a reference (env://NAME or file:///path), never the key itself"
    return _bad_reference(match[1], match[2])


def _bad_reference(scheme: str, rest: str) -> str | None:
    if scheme == "env":
        return None if _VARIABLE.fullmatch(rest) else "must name a variable, as env://OPENAI_API_KEY"
    if scheme == "file":
        return None if rest.startswith("/") else "must name an absolute path, as file:///run/secrets/key"
    if scheme == "keyring":
        return None if all(rest.partition("/")) else "must name service and entry, as keyring://akili/openai"
    if scheme == "vault":
        return "this version cannot resolve vault:// references; use env://, file:// or keyring://"
    return f"{scheme}:// is not a kind of reference; use env://, file:// or keyring://"


def _bad_base_url(text: str) -> str | None:
    scheme, mark, rest = text.partition("://")
    host = rest.partition("/")[0]
    if scheme not in ("http", "https") or not mark or not host or any(c.isspace() for c in text):
        return "must be an http:// or https:// URL"
    return "must not hold a user name or password" if "@" in host else None


def _bad_kind(text: str) -> str | None:
    return None if text in PROVIDER_KINDS else f"must be one of {', '.join(PROVIDER_KINDS)}"


def _bad_time(text: str) -> str | None:
    try:
        minutes_of(text)
    except ValueError as error:
        return str(error)
    return None


def _bad_zone(text: str) -> str | None:
    try:
        check_timezone(text)
    except ValueError as error:
        return str(error)
    return None


def _bad_moment(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return "must be a moment, as 2026-02-17T23:30+01:00"
    return None if moment.tzinfo is not None else "must say its time zone, as 2026-02-17T23:30+01:00"


def _unread_effect(text: str) -> str | None:
    return f"no tool of this version has the effect `{text}` yet; remove it" if text in PLANNED_EFFECTS else None


def _unread_source(text: str) -> str | None:
    if text in READ_SOURCES or text not in tuple(Source):
        return None
    return f"no call of this version comes in by `{text}` yet; remove it"


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


def _bad_image(text: str) -> str | None:
    if _IMAGE.match(text):
        return None
    return f"{text[:60]!r} is not the name of an image, like akili-runtime:latest"


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
        what = _bad_path(value) if isinstance(value, str) else None
        if what:
            yield Problem(path, what)


def _bad_dsn(dsn: str) -> str | None:
    scheme = dsn.partition("://")[0]
    if scheme not in ("postgres", "postgresql"):
        reference = _REFERENCE.fullmatch(dsn)
        if reference is None:
            return "must be a postgres:// URL or a reference (env://NAME)"
        return _bad_reference(reference[1], reference[2])
    password = _DSN_PASSWORD.search(dsn)
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
        what = _bad_tool(str(path[-1]))
        if what:
            yield Problem(path, what)


def _keys(data: object, pattern: str) -> tuple[str, ...]:
    return tuple(str(path[-1]) for path, _ in pick(data, f"{pattern}.*"))
