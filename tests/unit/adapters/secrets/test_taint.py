from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.secrets.taint import is_telling, key_like, parts_of, taint_environment
from akili_cli.adapters.telemetry.redact import Redactor

TELLING = (
    *("OPENAI_API_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "MYSQL_PWD", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "JWT"),
    *("REDIS_PASSWD", "SENTRY_DSN", "NPM_AUTH", "STRIPE_CREDENTIAL", "apikey", "dbPassword", "MYSECRET"),
    *("DEPLOY_KEY_2", "SECRET_KEY_ID"),
)
HARMLESS = (
    *("PATH", "HOME", "LANG", "KEYBOARD_LAYOUT", "KEYMAP", "MONKEY", "TOKENIZERS_PARALLELISM", "SSL_KEY_FILE"),
    *("AWS_ACCESS_KEY_ID", "TOKEN_TYPE", "SECRETARY_NAME", "GPG_KEY", "SSH_AUTH_SOCK", "PASSWORD_STORE_DIR"),
    *("AUTHOR", "COMPASS_HOST", "PASSENGER_COUNT"),
)


@pytest.mark.parametrize(
    "name",
    TELLING,
)
def test_a_name_that_says_secret_is_telling(name: str) -> None:
    assert is_telling(name)


@pytest.mark.parametrize(
    "name",
    HARMLESS,
)
def test_another_name_is_not(name: str) -> None:
    assert not is_telling(name)


def test_values_of_telling_names_and_passwords_in_urls_are_found() -> None:
    env = {
        "DB_PASSWORD": "hunter22",
        "DATABASE_URL": "postgres://app:p%40ssw0rd@db/x",
        "CONN": "host=db;Password=swordfish1;",
        "API_TOKEN": "abc",
        "AUTH": "disabled",
        "KEY_REF_TOKEN": "env://OTHER",
        "PRIVATE_KEY": "/etc/hostname",
        "CALLBACK_TOKEN": "https://host/path",
        "PIN_TOKEN": "123456",
        "EDITOR": "vim --clean",
    }
    found = {(name, value) for name, value in key_like(env)}
    assert found == {
        ("DB_PASSWORD", "hunter22"),
        ("DATABASE_URL", "p%40ssw0rd"),
        ("DATABASE_URL", "p@ssw0rd"),
        ("CONN", "swordfish1"),
    }


def test_base64_that_begins_with_a_slash_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    env = {"A_KEY": "/9j4AAQSkZJRgABAQ==", "B_KEY": str(tmp_path / "key"), "C_KEY": f"{tmp_path}:{tmp_path}"}
    assert [name for name, _ in key_like(env)] == ["A_KEY"]


def test_parts_are_lines_json_strings_and_passwords() -> None:
    pem = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAabcdef\nshort\n-----END KEY-----\n"
    assert list(parts_of(pem)) == [pem, pem.strip(), "MIIEowIBAAKCAQEAabcdef"]
    assert list(parts_of('{"user": "bob", "pw": "hunter22"}'))[1:] == ["hunter22"]
    assert list(parts_of("plain")) == ["plain"]


def test_an_environment_is_tainted_once_and_shown_by_its_name() -> None:
    redactor = Redactor()
    for _ in range(2):
        taint_environment(redactor, {"DB_PASSWORD": "hunter22"})
    assert redactor.text("it is hunter22") == "it is [redacted:env-db_password]"
    assert redactor.version == 1
