from __future__ import annotations

import pytest

from akili_cli.adapters.secrets.base import Reference
from akili_cli.adapters.secrets.providers.env import EnvironmentSecrets
from akili_cli.domain.errors import ConfigError

ENV = {"DB": "hunter22\n", "EMPTY": " ", "APP_X": "x-value"}
PROVIDER = EnvironmentSecrets(ENV, allow=frozenset({"DB"}), prefix="APP_")


def test_a_variable_gives_its_value() -> None:
    assert PROVIDER.value(Reference("env", "DB")) == "hunter22"


@pytest.mark.parametrize("name", ["NONE", "EMPTY", "", "A-B", "1A", "A=B"])
def test_an_unset_variable_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        PROVIDER.value(Reference("env", name))


@pytest.mark.parametrize(("name", "allowed"), [("DB", True), ("APP_X", True), ("app_x", False), ("PATH", False)])
def test_tools_get_what_is_allowed_by_name_or_prefix(name: str, allowed: bool) -> None:
    assert (PROVIDER.refusal(Reference("env", name)) is None) == allowed
