from __future__ import annotations

import re

import pytest

from akili_cli.adapters.telemetry.shapes import hide_named, is_plain_value, is_secret_name, label


@pytest.mark.parametrize(
    "name",
    re.findall(
        r"\S+",
        "password db_password DB_PASSWORD dbPassword passwd token access_token apiKey API_KEY api-key apikey secret "
        "clientSecret secret_id authorization "
        "Proxy-Authorization credential cookie Set-Cookie private_key privateKey "
        "ssh_key AWS_SECRET_ACCESS_KEY PGPASSWORD password2 pass auth encryption_key AccountKey x-auth-token "
        "passphrase refresh_tokens password_hash",
    ),
)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    re.findall(
        r"\S+",
        "tokens_used input_tokens max_tokens tokens token_count token_limit key keys keyboard monkey "
        "primary_key author password_file password_policy secret_name token_type token_url "
        "cookie_name passed bypass path authentication "
        "authorized secretary tokenizer access_key_id key_id public_key password_authentication user",
    ),
)
def test_harmless_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", ["", "env://X", "$X", "${X}", "<x>", "****", "true", "None", "{{ x }}"])
def test_values_that_are_no_secret(value: str) -> None:
    assert is_plain_value("password", value)


@pytest.mark.parametrize("value", ["hunter2", "12345678", "file", "env:x", "aaaa"])
def test_values_that_may_be_one(value: str) -> None:
    assert not is_plain_value("password", value)


def test_labels_are_short_and_safe() -> None:
    assert label('"X]y[z' + "a" * 99) == ("x-y-z" + "a" * 55)
    assert label("]]") == "secret"


def test_named_values_inside_other_values_are_found() -> None:
    assert hide_named('{"cmd": "A_TOKEN=abcd x"}') == '{"cmd": "A_TOKEN=[redacted:a_token] x"}'
