from __future__ import annotations

import json

import jsonschema
import pytest

from akili_cli.config.lines import Loaded, Origins
from akili_cli.config.schema import json_schema, keys_at, masked, places, show
from akili_cli.config.settings import DEFAULT_SECURITY, DEFAULT_TOOLS, Settings
from akili_cli.domain.decisions import Origin


def test_the_schema_is_valid_and_accepts_the_defaults() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(schema)))
    validator.validate({"security": DEFAULT_SECURITY, "tools": DEFAULT_TOOLS, "logging": {"json": True}})
    assert not validator.is_valid({"securty": {}})
    assert not validator.is_valid({"security": {"roles": {"a": {"max_risk_level": "hihg"}}}})


def test_keys_are_known_behind_free_names_and_lists() -> None:
    assert "permissions" in keys_at(("security", "roles", "anything"))
    assert "api_key" in keys_at(("providers", "mine"))
    assert "min_risk" in keys_at(("policies", "rules", 0, "match"))
    assert keys_at(("nonsense", "x")) == ()


def test_a_key_knows_where_it_belongs() -> None:
    assert places()["max_steps"] == ("agent",)
    assert places()["allowed_paths"][:2] == ("tools.file", "tools.git")


def test_every_value_is_shown_with_its_origin() -> None:
    loaded = Loaded(Settings(), Origins({("agent", "max_steps"): Origin("f", 3)}))
    rows = {row.path: row for row in show(loaded, origin=True)}
    assert rows["agent.max_steps"].origin == "f:3"
    assert rows["agent.max_steps"].value == 100
    assert rows["tools.web.allowed_domains"].value == []
    assert rows["logging.json"].origin == "default"
    assert {row.origin for row in show(loaded, origin=False)} == {""}


@pytest.mark.parametrize(
    ("path", "value", "out"),
    [
        (("storage", "postgres", "dsn"), "postgres://u:p4ss@h/d", "postgres://u:***@h/d"),
        (("storage", "postgres", "dsn"), "postgres://u:p4ss:w@h/d", "postgres://u:***@h/d"),
        (("storage", "postgres", "dsn"), "postgres://u:p/w@h/d", "postgres://u:***@h/d"),
        (("storage", "postgres", "dsn"), "postgres://h/d?password=p4ss&x=1", "postgres://h/d?password=***&x=1"),
        (("storage", "postgres", "dsn"), "postgres://u:p@ss@h/d", "postgres://u:***@h/d"),
        (("storage", "postgres", "dsn"), "postgres://u@h:5432/d", "postgres://u@h:5432/d"),
        (("storage", "postgres", "dsn"), "env://DSN", "env://DSN"),
        (("providers", "x", "api_key"), "env://KEY", "env://KEY"),
        (("providers", "x", "api_key"), "sk-123", "***"),
        (("providers", "x", "model"), "a:b@c", "a:b@c"),
        (("agent", "max_steps"), 5, 5),
    ],
)
def test_secrets_are_masked(path: tuple[str, ...], value: object, out: object) -> None:
    assert masked(path, value) == out
