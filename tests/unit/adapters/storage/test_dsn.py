from __future__ import annotations

from akili_cli.adapters.storage.dsn import Dsn

SECRET = "s3cr3t-pa55"
TEXT = f"postgresql://ann:{SECRET}@db.example:6543/x"
PARTS = {"host": "db.example", "port": "6543", "user": "ann", "password": SECRET, "dbname": "x"}


def test_secrets_are_masked_wherever_a_driver_repeats_them() -> None:
    said = Dsn(TEXT, PARTS).masked(f" a {SECRET} b {TEXT} ")
    assert SECRET not in said
    assert said.startswith("a *** b ")


def test_the_place_is_shown_without_user_and_password() -> None:
    assert Dsn(TEXT, PARTS).shown() == "x at db.example:6543"
    assert Dsn("", {}).shown() == "the default database at localhost"


def test_a_dead_peer_is_given_up_unless_the_dsn_says_otherwise() -> None:
    assert Dsn("", {}).parts["connect_timeout"] == "5"
    assert Dsn("", {}).parts["keepalives_idle"]
    assert Dsn("", {"connect_timeout": "9"}).parts["connect_timeout"] == "9"
