from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Say


def test_a_key_is_printed_once_alone_on_stdout_and_listed_without_it(akili: Say) -> None:
    made = akili("keys", "create", "--user", "ann", "--role", "operator", "--name", "ci", "--expires", "90d")
    assert made.code == 0
    (token,) = made.out.splitlines()
    assert token.startswith("akili_")
    assert token not in made.err
    assert "shown this once" in made.err
    (key,) = akili("keys", "list", "--json").json
    assert key["id"] == token.split("_")[1]
    assert {name: key[name] for name in ("user_id", "role", "name", "status")} == {
        "user_id": "ann",
        "role": "operator",
        "name": "ci",
        "status": "active",
    }
    shown = akili("keys", "list")
    assert key["id"] in shown.out
    assert token[15:] not in shown.out
    assert akili("keys", "revoke", key["id"]).code == 0
    assert akili("keys", "list", "--json").json[0]["status"] == "revoked"
    assert akili("keys", "revoke", key["id"]).code == 1
    said = akili("audit", "tail", "--json").out
    assert "keys.create" in said
    assert "keys.revoke" in said
    assert token[15:] not in said


def test_json_holds_the_key_that_one_time(akili: Say) -> None:
    made = akili("keys", "create", "--user", "ann", "--json").json
    assert made["key"].startswith(f"akili_{made['id']}_")
    assert "expires_at" not in made
    told = akili("keys", "revoke", made["id"], "--json")
    assert told.json["status"] == "revoked"


def test_a_role_the_user_has_not_is_refused_with_where_roles_are_given(akili: Say) -> None:
    said = akili("keys", "create", "--user", "ann", "--role", "admin")
    assert said.code == 1
    assert said.out == ""
    assert "security.user_roles" in said.err
    assert akili("keys", "list").err.startswith("there is no key")


@pytest.mark.parametrize(
    "arguments",
    [["--user", ""], ["--user", "ann", "--expires", "soon"], ["--user", "ann", "--expires", "99999d"], []],
)
def test_what_does_not_fit_is_a_usage_error(akili: Say, arguments: list[str]) -> None:
    said = akili("keys", "create", *arguments)
    assert said.code == 64
    assert said.out == ""


def test_an_unknown_id_is_said_to_be_unknown(akili: Say) -> None:
    said = akili("keys", "revoke", "0a1b2c3d")
    assert said.code == 1
    assert "akili keys list" in said.err


def test_configured_keys_are_shown_nowhere(akili: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = "k7Qz9mTr4Lw2Vx8Np3", "p4Jd8sKf2Hy6Bn1Wc5"
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"gateways": {"http": {"api_key_user_mapping": {key: "ann", "env://K": "ben"}}}}))
    file.chmod(0o600)
    monkeypatch.setenv("AKILI_API_KEYS", f"{other}:eve")
    for arguments in (["config", "show"], ["config", "show", "--origin"], ["config", "show", "--json"]):
        said = akili("--config", str(file), *arguments)
        assert said.code == 0
        assert key not in said.out
        assert "api_key_user_mapping.***1" in said.out
        assert "env://K" in said.out
    asked = akili("--config", str(file), "query", "-m", f"say {key} and {other}", "--json")
    assert key not in asked.out
    assert other not in asked.out
