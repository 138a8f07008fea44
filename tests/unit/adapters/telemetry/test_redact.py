from __future__ import annotations

import enum
from pathlib import PurePosixPath

import pytest

from akili_cli.adapters.telemetry.redact import Redactor


class Colour(enum.Enum):
    RED = "red"


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_registered_value_becomes_its_name() -> None:
    redactor = Redactor()
    redactor.register("s3cr3t-value", "vault/db")
    assert redactor.text("x=s3cr3t-value;") == "x=[redacted:vault/db];"


def test_a_short_value_is_not_registered() -> None:
    redactor = Redactor()
    redactor.register("abc", "x")
    assert redactor.text("abcabc abc") == "abcabc abc"


def test_a_name_that_holds_the_value_is_not_shown() -> None:
    redactor = Redactor()
    redactor.register("hunter22", "pw-hunter22")
    assert redactor.text("it is hunter22") == "it is [redacted:secret]"


def test_the_longer_of_two_values_wins() -> None:
    redactor = Redactor()
    redactor.register("abcdef", "short")
    redactor.register("abcdefghij", "long")
    assert redactor.text("abcdefghij abcdef") == "[redacted:long] [redacted:short]"


def test_a_forged_marker_does_not_hide_a_value() -> None:
    redactor = Redactor()
    redactor.register("hunter2hunter2", "db")
    assert "hunter2" not in redactor.text("[redacted:hunter2hunter2]")


def test_the_value_redacted_survives_being_registered() -> None:
    redactor = Redactor()
    redactor.register("redacted", "word")
    clean = redactor.text("all redacted here")
    assert clean == "all [redacted:word] here"
    assert redactor.text(clean) == clean


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"password": "hunter2"}, {"password": "[redacted:password]"}),
        ({"password": 12345}, {"password": "[redacted:password]"}),
        ({"credentials": {"user": "bob", "x": ["y"]}},
         {"credentials": {"user": "[redacted:credentials]", "x": ["[redacted:credentials]"]}}),
        ({"secrets": ["env://DB", "vault://a/b"]}, {"secrets": ["env://DB", "vault://a/b"]}),
        ({"tokens_used": 150, "max_tokens": 10, "token": 5}, {"tokens_used": 150, "max_tokens": 10, "token": 5}),
        ({"key": "plain", "secret": True, "password": None}, {"key": "plain", "secret": True, "password": None}),
        ({"a": (1, 2.5, float("inf")), "b": {"x"}}, {"a": [1, 2.5, "inf"], "b": ["x"]}),
        ([Colour.RED, PurePosixPath("/etc"), b"hi\xff", Rude()], ["red", "/etc", "hi\\xff", "<Rude>"]),
        ({1: "a", None: "b", ("x",): "c"}, {"1": "a", "None": "b", "<tuple>": "c"}),
        ({"cmd": "PGPASSWORD=hunter2 psql"}, {"cmd": "PGPASSWORD=[redacted:pgpassword] psql"}),
        (10**5000, f"[number of {(10**5000).bit_length()} bits]"),
        (ValueError("token=abcdef12"), "ValueError: token=[redacted:token]"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_value_redacts_and_makes_json_ready(value: object, expected: object) -> None:
    assert Redactor().value(value) == expected


def test_a_secret_used_as_key_is_redacted() -> None:
    redactor = Redactor()
    redactor.register("hunter2hunter2", "db")
    assert redactor.value({"hunter2hunter2": 1}) == {"[redacted:db]": 1}


def test_endless_nesting_is_cut() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "nested too deep" in str(Redactor().value(loop))


def test_a_private_key_is_held_until_its_end_comes() -> None:
    stream = Redactor().stream()
    shown = stream.feed("see\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nMIIE\n")
    shown += stream.feed("AAAA\n" * 50)
    assert "MIIE" not in shown
    shown += stream.feed("-----END RSA PRIVATE KEY-----\nand so on, more words here\n") + stream.flush()
    assert shown == "see\n[redacted:private-key]\nand so on, more words here\n"


def test_a_stream_without_spaces_does_not_pile_up() -> None:
    stream = Redactor().stream()
    shown = sum(len(stream.feed("A" * 1000)) for _ in range(40))
    assert shown > 20_000
    assert shown + len(stream.flush()) == 40_000
