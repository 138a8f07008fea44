"""Checks each entry of each list of a configuration on its own: paths, hosts, commands, names, references, times."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime

from akili_cli.config.lines import Problem
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
        "approve",
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
        "git_restore",
        "code_exec",
        "database_read",
        "create_cronjob",
        "create_alert",
        "send_notification",
        "notification_deliver",
        "endpoint_check",
        "infra_lookup",
        "infra_manage",
        "infra_exec",
    }
)
SEED_PROVIDERS = frozenset({"anthropic", "openai", "gemini", "ollama", "builtin"})
PROVIDER_KINDS = ("litellm", "openai_compatible", "builtin")
PLACEHOLDERS = frozenset({"change-me", "changeme", "change_me", "dev-key", "example", "placeholder", "secret"})
PLANNED_EFFECTS = frozenset({"nodes", "secrets", "servers"})
READ_SOURCES = frozenset({"cli", "repl", "http", "cron", "heartbeat", "alert"})
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
REFERENCE = re.compile(r"([a-z]+)://(\S+)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DSN_PASSWORD = re.compile(r"://[^:/@\s]*:([^@/\s]*)@")
_IMAGE = re.compile(IMAGE_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_KEYWORDS = frozenset(
    (
        *("if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "in"),
        *("function", "select", "coproc", "{", "}", "!", "[[", "]]"),
    )
)
_Check = Callable[[str], str | None]


def entry_problems(data: object) -> Iterator[Problem]:
    """Check each entry of each list on its own."""
    rules = "policies.rules.*.match"
    capabilities = ("policies.capabilities.*", "policies.policies.*")
    table: tuple[tuple[_Check, tuple[str, ...]], ...] = (
        (
            bad_path,
            (
                "tools.file.allowed_paths.*",
                "tools.git.allowed_paths.*",
                "runbooks.directories.*",
                "heartbeat_tasks.tasks_dirs.*",
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
            bad_tool,
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


def bad_path(text: str) -> str | None:
    """Say what is wrong with a path entry, or nothing."""
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
    if any(mark in text for mark in ";|&`$<>()\n"):
        return "must be one simple command without ; | & < > ( ) or substitution"
    if any(mark in word for word in words for mark in "*?"):
        return "patterns are not supported; name the program, arguments are optional"
    if "=" in words[0] or words[0] in _KEYWORDS:
        return f"{words[0][:40]!r} is no program, so it would match nothing"
    return None


def _bad_permission(text: str) -> str | None:
    if text in PERMISSIONS or _MCP.fullmatch(text):
        return None
    return f"there is no permission {text[:60]!r}{nearest(text, sorted(PERMISSIONS))}"


def bad_tool(text: str) -> str | None:
    """Say what is wrong with a tool's name, or nothing."""
    if text in TOOLS or _MCP.fullmatch(text):
        return None
    return f"there is no tool {text[:60]!r}{nearest(text, sorted(TOOLS))}"


def _bad_tool_or_permission(text: str) -> str | None:
    if text in PERMISSIONS or text in TOOLS or _MCP.fullmatch(text):
        return None
    return f"there is no permission or tool {text[:60]!r}{nearest(text, sorted(PERMISSIONS | TOOLS))}"


def _bad_key_reference(text: str) -> str | None:
    match = REFERENCE.fullmatch(text)
    if match is None:
        return "must be a reference (env://NAME or file:///path), never the key itself"
    return bad_reference(match[1], match[2])


def bad_reference(scheme: str, rest: str) -> str | None:
    """Say what is wrong with a secret reference, or nothing."""
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


def _bad_image(text: str) -> str | None:
    if _IMAGE.match(text):
        return None
    return f"{text[:60]!r} is not the name of an image, like akili-runtime:latest"
