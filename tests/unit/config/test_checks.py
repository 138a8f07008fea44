from __future__ import annotations

import pytest

from akili_cli.config.checks import cross_problems
from akili_cli.config.lines import render_path
from akili_cli.config.settings import DEFAULT_SECURITY, DEFAULT_TOOLS


def places(data: dict[str, object]) -> list[str]:
    return [render_path(problem.path) for problem in cross_problems(data)]


def test_a_sound_configuration_has_no_problem() -> None:
    data: dict[str, object] = {
        "security": {**DEFAULT_SECURITY, "user_roles": {"ann": "admin"}},
        "tools": {
            **DEFAULT_TOOLS,
            "web": {
                "allowed_domains": ["example.com", "*.example.org", "api.example.com:8443", "bücher.de", "1.2.3.4"],
                "allowed_private_hosts": ["10.0.0.1:8080", "[fd00::1]:80", "db.internal:5432"],
                "allowed_ports": [80, 443, 8443],
            },
        },
        "policies": {
            "capabilities": {"p": {"allowed_tools": ["mcp__files"], "denied_commands": ["rm -rf", "git push"]}},
            "bindings": {"ann": "p"},
            "rules": [{"id": "a", "match": {"roles": ["viewer"]}, "verdict": "deny", "because": "x"}],
        },
        "storage": {"driver": "postgres", "postgres": {"dsn": "env://DSN"}},
        "providers": {
            "default": "mine",
            "fallback": ["builtin"],
            "mine": {"kind": "openai_compatible", "base_url": "http://h:1/v1", "api_key": "file:///run/key"},
        },
    }
    assert places(data) == []


@pytest.mark.parametrize(
    "data",
    [
        {"security": 5},
        {"security": {"roles": []}},
        {"security": {"roles": {"a": None}}},
        {"policies": []},
        {"policies": {"rules": [1, {"match": 3}], "policies": {"a": 1}}},
        {"providers": "x"},
        {"storage": {"postgres": []}},
        {"tools": {"web": {"allowed_ports": "80"}}},
    ],
)
def test_values_of_wrong_types_are_somebody_elses_problem(data: dict[str, object]) -> None:
    assert places(data) == []


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"security": {"default_role": "x"}}, "security.default_role"),
        ({"security": {"user_roles": {"u": "x"}}}, "security.user_roles.u"),
        ({"policies": {"bindings": {"u": "x"}}}, "policies.bindings.u"),
        ({"storage": {"driver": "postgres"}}, "storage.postgres.dsn"),
        ({"providers": {"default": "x"}}, "providers.default"),
        ({"tools": {"web": {"allowed_domains": ["a b"]}}}, "tools.web.allowed_domains[0]"),
        ({"budget": {"default_limit_usd": "10"}}, "budget.default_limit_usd"),
        ({"providers": {"a": {"price": {"input_usd_per_million": True}}}}, "providers.a.price.input_usd_per_million"),
        ({"policies": {"rules": [{"match": {"paths": []}}]}}, "policies.rules[0].match.paths"),
    ],
)
def test_each_problem_names_its_key(data: dict[str, object], place: str) -> None:
    assert places(data) == [place]
