from __future__ import annotations

import pytest

from akili_cli.config.environment import environment_settings, expand, unknown_variables
from akili_cli.domain.errors import ConfigError


def test_the_dsn_selects_postgres() -> None:
    assert environment_settings({"AKILI_DB_DSN": "postgres://h/d"}) == {
        ("storage", "driver"): "postgres",
        ("storage", "postgres", "dsn"): "postgres://h/d",
    }
    assert environment_settings({"AKILI_DB_DSN": ""}) == {}


def test_the_signal_api_and_its_sender_come_from_their_variables() -> None:
    env = {"SIGNAL_API_URL": "http://signal.lan:8080", "SIGNAL_SENDER_NUMBER": "+4915112345678"}
    assert environment_settings(env) == {
        ("notification", "signal", "api_url"): "http://signal.lan:8080",
        ("notification", "signal", "sender_number"): "+4915112345678",
    }


@pytest.mark.parametrize("name", ["AKILI_AUTONOMOUS_MODE", "AKILI_DATA_DIR"])
def test_a_variable_without_effect_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is set, but"):
        environment_settings({name: "1"})


@pytest.mark.parametrize("value", ["", "0", "false", "off"])
def test_switched_off_it_is_no_trouble(value: str) -> None:
    assert environment_settings({"AKILI_AUTONOMOUS_MODE": value}) == {}


def test_unknown_variables_name_the_nearest() -> None:
    (warning,) = unknown_variables({"AKILI_WORKSPCE": "x", "AKILI_API_KEYS": "y", "PATH": "z"})
    assert "AKILI_WORKSPACE" in warning


def test_each_reference_is_replaced_once() -> None:
    env = {"A": "1", "B": "${A}"}
    assert expand("x${A}y${B}$A", env) == "x1y${A}$A"


@pytest.mark.parametrize("text", ["${NO}", "${EMPTY}", "${", "${A", "${}", "${A B}", "${A:-x}"])
def test_a_reference_that_gives_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="variable"):
        expand(text, {"A": "1", "EMPTY": ""})
