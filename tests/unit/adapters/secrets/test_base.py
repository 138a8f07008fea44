from __future__ import annotations

import pytest

from akili_cli.adapters.secrets.base import Reference, parse_reference, stored_name, usable
from akili_cli.domain.errors import ConfigError, UsageError

ALL = ("env", "file", "keyring")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("env://DB", Reference("env", "DB")),
        ("file:///run/secrets/db", Reference("file", "/run/secrets/db")),
        ("keyring://akili/db", Reference("keyring", "akili/db")),
    ],
)
def test_a_reference_is_read_and_written_alike(text: str, reference: Reference) -> None:
    assert parse_reference(text, ALL) == reference
    assert str(reference) == text


@pytest.mark.parametrize("text", ["", "sk-abc123", "env:/DB", "://x", "ENV://DB", "env://", "env://A\nB", "e" * 2000])
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="as a reference") as caught:
        parse_reference(text, ALL)
    assert not text or text not in str(caught.value)
    assert "env://NAME" in caught.value.hint


@pytest.mark.parametrize("text", ["vault://secret/db", "aws://x", "https://host/x", "ftp://x"])
def test_another_scheme_is_a_clear_refusal(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        parse_reference(text, ALL)


def test_a_scheme_that_is_switched_off_says_so() -> None:
    with pytest.raises(ConfigError, match="switched off") as caught:
        parse_reference("keyring://a/b", ("env",))
    assert "- type: keyring" in caught.value.hint


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", ".keyring", "a b", "a\0", "n" * 65, "é"])
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        stored_name(name)


def test_a_value_loses_its_line_end_only() -> None:
    assert usable(" a b \r\n", "it") == " a b "


@pytest.mark.parametrize("value", ["", " \n", "a\0b", "x" * 70_000], ids=["empty", "blank", "nul", "long"])
def test_a_value_that_cannot_be_used_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ConfigError, match="it holds"):
        usable(value, "it")
