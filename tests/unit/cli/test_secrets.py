from __future__ import annotations

import io
import json
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from tests.unit.cli.conftest import Say

VALUE = "hunter22-in-production"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(f"{VALUE}\n".encode()))
    monkeypatch.setattr("sys.stdin", stdin)


@pytest.mark.usefixtures("typed")
def test_a_secret_is_kept_listed_checked_and_forgotten_without_being_shown(akili: Say, tmp_path: Path) -> None:
    said = [akili("secrets", "set", "db"), akili("secrets", "list"), akili("secrets", "check")]
    assert [one.code for one in said] == [0, 0, 0]
    path = tmp_path / "home" / ".akili" / "secrets" / "db"
    assert said[0].out.strip() == f"file://{path}"
    assert path.read_text() == VALUE
    assert path.stat().st_mode & 0o777 == 0o600
    assert "db" in said[1].out
    assert said[2].out.startswith("ok")
    assert not [one for one in said if VALUE in one.out + one.err]
    assert akili("secrets", "rm", "db").code == 0
    assert akili("secrets", "list", "--json").json == []
    assert akili("secrets", "rm", "db").code == 1


@pytest.mark.usefixtures("typed")
def test_a_value_on_the_command_line_is_refused(akili: Say) -> None:
    assert akili("secrets", "set", "db", VALUE).code == 64


@pytest.mark.parametrize("data", [b"", b"\n", b"a\0b", b"\xff\xfe", b"x" * 70_000])
def test_a_value_that_cannot_be_used_is_refused(akili: Say, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert akili("secrets", "set", "db").code == 64
    assert akili("secrets", "list", "--json").json == []


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize("name", ["../x", "a/b", ".x", ""])
def test_a_name_that_could_be_a_path_is_refused(akili: Say, name: str) -> None:
    assert akili("secrets", "set", name).code == 64


@pytest.mark.parametrize("reference", ["env://NOT_SET", "vault://a/b", "file:///none", "plain"])
def test_a_reference_that_gives_nothing_fails_the_check(akili: Say, reference: str) -> None:
    said = akili("secrets", "check", reference, "--json")
    assert said.code == 1
    assert said.json[0]["ok"] is False


def test_a_key_given_in_place_of_its_reference_is_not_repeated(akili: Say) -> None:
    said = akili("secrets", "check", "sk-abcdefghij")
    assert said.code == 1
    assert "sk-abcdefghij" not in said.out + said.err


def test_a_check_says_what_tools_may_use(akili: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", VALUE)
    said = akili("secrets", "check", "env://DB_PASSWORD", "--json")
    assert said.json == [{"reference": "env://DB_PASSWORD", "ok": True, "tools": "may not", "error": None}]


def test_a_machine_without_a_keyring_is_told_what_else_there_is(akili: Say) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    try:
        said = akili("secrets", "check", "keyring://akili/db")
    finally:
        keyring.set_keyring(before)
    assert said.code == 1
    assert "has no keyring" in said.err
    assert "env://NAME" in said.err


@pytest.mark.usefixtures("typed")
def test_every_change_is_recorded_by_name_before_and_after_and_never_by_value(akili: Say, tmp_path: Path) -> None:
    akili("secrets", "set", "db")
    akili("secrets", "rm", "db")
    akili("secrets", "rm", "db")
    akili("secrets", "list")
    lines = [json.loads(line) for line in akili("audit", "search", "secrets.", "--json").out.splitlines()]
    said = [(line["kind"], line["tool"], line["result"], line["user"]) for line in reversed(lines)]
    assert said == [
        ("state", verb, result, "cli-user")
        for verb, result in [
            ("secrets.set", "started"),
            ("secrets.set", "changed"),
            ("secrets.rm", "started"),
            ("secrets.rm", "changed"),
            ("secrets.rm", "started"),
            ("secrets.rm", "failure"),
        ]
    ]
    assert all(line["parameters"] == {"name": "db", "provider": "file"} for line in lines)
    workspace = tmp_path / "home" / ".akili"
    assert not [path for path in workspace.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]


@pytest.mark.usefixtures("typed")
def test_nothing_is_changed_when_it_cannot_be_recorded(akili: Say, tmp_path: Path) -> None:
    assert akili("secrets", "set", "db").code == 0
    (tmp_path / "home" / ".akili" / "audit.key").chmod(0o644)
    said = akili("secrets", "rm", "db")
    assert (said.code, "audit key" in said.err) == (1, True)
    assert "db" in akili("secrets", "list").out


@pytest.mark.usefixtures("typed")
def test_the_secret_that_opens_the_database_can_be_set_first(akili: Say, tmp_path: Path) -> None:
    workspace = tmp_path / "home" / ".akili"
    workspace.mkdir(mode=0o700)
    reference = f"file://{workspace / 'secrets' / 'dsn'}"
    config = {"storage": {"driver": "postgres", "postgres": {"dsn": reference}}}
    (workspace / "config.json").write_text(json.dumps(config))
    said = akili("secrets", "set", "dsn")
    assert (said.code, (workspace / "secrets" / "dsn").read_text()) == (1, VALUE)
    assert VALUE not in said.err
    assert "kept dsn, but that could not be recorded" in said.err
