"""Keys and variables of the configuration format that nothing in this version reads yet.

They are refused rather than ignored: a control that is written down and has no effect is worse than none.
"""

from __future__ import annotations

from akili_cli.adapters.files.yaml import KeyPath

PLANNED_KEYS = frozenset(
    {
        "workspace",
        "data_dir",
        "autonomous_mode",
        "gateways.cli",
        "gateways.websocket",
        "gateways.slack",
        "gateways.telegram",
        "gateways.signal",
        "orchestrator",
        "infrastructure",
        "soul",
        "optimization",
        "embedded_agent",
        "runtime",
        "http",
        "sandbox.network_allowed",
        "security.require_approval",
        "security.default_permissions",
        "security.audit_log_path",
        "memory.summarize_on_truncate",
        "tools.database",
        "tools.browser",
        "tools.mcp",
    }
)

INSTEAD = {
    "workspace": "set AKILI_WORKSPACE instead",
    "data_dir": "state lives in the workspace; set AKILI_WORKSPACE instead",
    "autonomous_mode": "use `akili query --autonomous` for one run instead",
    "sandbox.network_allowed": "remove it; the sandbox grants exactly the hosts that a call was allowed",
    "security.require_approval": "write it under the role: security.roles.<name>.require_approval",
    "security.default_permissions": "write them under a role and name it in security.default_role",
    "security.audit_log_path": "remove it; the audit is kept in the workspace",
    "optimization": "remove it; runbook matching is set under `runbooks`",
}

REFUSED_VARIABLES = {
    "AKILI_AUTONOMOUS_MODE": "use `akili query --autonomous` for one run instead",
    "AKILI_DATA_DIR": "state lives in the workspace; set AKILI_WORKSPACE instead",
}

KNOWN_VARIABLES = frozenset(
    {
        "AKILI_CONFIG",
        "AKILI_WORKSPACE",
        "AKILI_DB_DSN",
        "AKILI_CLI_USER",
        "AKILI_GATEWAY_URL",
        "AKILI_API_KEY",
        "AKILI_API_KEYS",
        "AKILI_WS_AGENT_TOKEN",
        "AKILI_TOOL_DB_DSN",
    }
)


def is_planned(path: KeyPath) -> bool:
    """Tell whether a key that nothing reads is one of the format's all the same."""
    return _name(path) in PLANNED_KEYS


def refusal(path: KeyPath) -> str:
    """Say that a key is not read yet, and what to do."""
    name = _name(path)
    instead = INSTEAD.get(name, "remove it")
    return f"this version has nothing that reads `{name}` yet; {instead}"


def _name(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)
