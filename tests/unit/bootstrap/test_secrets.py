from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.secrets import configured_references, open_secrets, own_references
from akili_cli.config.paths import Workspace
from akili_cli.config.settings import Settings
from akili_cli.domain.errors import PolicyDeniedError

SETTINGS = Settings.model_validate(
    {
        "providers": {"default": "mine", "mine": {"kind": "litellm", "model": "m", "api_key": "env://MINE"}},
        "secrets": {"providers": [{"type": "env", "allow": ["MINE", "OTHER"]}], "patterns": ["ACME-(\\d+)"]},
    }
)


def test_the_environment_and_the_patterns_are_hidden_before_anything_is_resolved(tmp_path: Path) -> None:
    redactor = Redactor()
    open_secrets(SETTINGS, {"SOME_TOKEN": "hunter22hunter"}, Workspace(tmp_path), redactor)
    clean = redactor.text("hunter22hunter and ACME-123456 here")
    assert clean == "[redacted:env-some_token] and ACME-[redacted:pattern-1] here"


def test_keys_of_the_configuration_are_never_for_tools(tmp_path: Path) -> None:
    env = {"MINE": "sk-mine-1", "OTHER": "other-1"}
    chain = open_secrets(SETTINGS, env, Workspace(tmp_path), Redactor())
    assert chain.resolve_for_tool("env://OTHER") == "other-1"
    with pytest.raises(PolicyDeniedError):
        chain.resolve_for_tool("env://MINE")


def test_references_of_the_configuration_are_found() -> None:
    assert configured_references(SETTINGS) == ("env://MINE",)
    assert {"env://MINE", "env://OPENAI_API_KEY", "env://AKILI_DB_DSN"} <= own_references(SETTINGS)
