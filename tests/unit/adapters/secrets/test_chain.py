from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.secrets.settings import SecretsSettings
from akili_cli.domain.errors import ConfigError, PolicyDeniedError

ENV = {"DB": "postgres://app:hunter22@db/x", "KEY": "sk-123456", "FREE": "value-1"}


def chain(tmp_path: Path, found: dict[str, str] | None = None, **settings: object) -> SecretChain:
    seen = {} if found is None else found
    return SecretChain(
        SecretsSettings.model_validate(settings),
        env=ENV,
        directory=tmp_path / "secrets",
        register=lambda value, name: seen.update({value: name}),
        reserved=frozenset({"env://KEY"}),
    )


def test_a_resolved_value_and_its_password_are_registered(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    assert chain(tmp_path, found).resolve("env://DB") == ENV["DB"]
    assert found == {ENV["DB"]: "env://DB", "hunter22": "env://DB"}


@pytest.mark.parametrize("reference", ["env://NONE", "file:///none", "vault://x", "KEY", "keyring://x"])
def test_what_cannot_be_resolved_is_a_config_error(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ConfigError):
        chain(tmp_path).resolve(reference)


def test_tools_get_only_what_the_operator_named_and_never_a_providers_key(tmp_path: Path) -> None:
    allowing = [{"type": "env", "allow": ["FREE", "KEY"]}]
    one = chain(tmp_path, providers=allowing)
    assert one.resolve_for_tool("env://FREE") == "value-1"
    for reference in ("env://KEY", "env://DB"):
        with pytest.raises(PolicyDeniedError, match="tools may not use"):
            one.resolve_for_tool(reference)
    assert one.resolve("env://KEY") == "sk-123456"
    with pytest.raises(PolicyDeniedError):
        chain(tmp_path).resolve_for_tool("env://FREE")


def test_a_provider_that_is_not_listed_serves_nobody(tmp_path: Path) -> None:
    one = chain(tmp_path, providers=[{"type": "env"}])
    with pytest.raises(ConfigError, match="does not list file"):
        one.resolve("file:///x")
    with pytest.raises(ConfigError, match="cannot be kept"):
        one.store("file")
    with pytest.raises(ConfigError, match="cannot be kept"):
        one.store("env")


def test_what_was_kept_is_listed_and_open_to_tools(tmp_path: Path) -> None:
    one = chain(tmp_path)
    reference = one.store("file").put("db", "hunter22")
    assert one.listed() == (reference,)
    assert one.resolve_for_tool(str(reference)) == "hunter22"
