from __future__ import annotations

import hashlib
import hmac

import pytest

from akili_cli.domain.errors import ConfigError
from akili_cli.gateways.http.static_keys import StaticKeys, open_static_keys, parse_variable, raw_keys

ANN, BEN, EVE = "k7Qz9mTr4Lw2Vx8Np3", "p4Jd8sKf2Hy6Bn1Wc5", "r3Gt7uMx5Za9Eq2Do8"


def opened(
    mapping: dict[str, str] | None = None, variable: str = "", seen: list[str] | None = None, **values: str
) -> StaticKeys:
    registered = seen if seen is not None else []
    return open_static_keys(
        mapping or {},
        {"AKILI_API_KEYS": variable},
        resolve=lambda reference: values[reference.partition("://")[2]],
        register=lambda key, _name: registered.append(key),
    )


def user_of(keys: StaticKeys, token: str) -> str | None:
    found = keys.found(token)
    return found.user if found else None


def test_keys_of_the_configuration_and_of_the_environment_count() -> None:
    keys = opened({ANN: "ann"}, f"{BEN}:ben , {EVE}:eve")
    assert [user_of(keys, key) for key in (ANN, BEN, EVE)] == ["ann", "ben", "eve"]
    assert [key.id for key in keys.keys] == ["config-1", "env-1", "env-2"]
    assert user_of(keys, ANN + "x") is None
    assert user_of(keys, ANN[:-1]) is None


def test_the_environment_wins_where_both_name_a_key() -> None:
    keys = opened({ANN: "ann"}, f"{ANN}:ben")
    assert user_of(keys, ANN) == "ben"
    assert len(keys.keys) == 1


def test_a_digest_or_a_reference_stands_for_the_key() -> None:
    digest = "sha256:" + hashlib.sha256(ANN.encode()).hexdigest()
    keys = opened({digest: "ann", "env://BEN_KEY": "ben"}, BEN_KEY=BEN)
    assert user_of(keys, ANN) == "ann"
    assert user_of(keys, BEN) == "ben"
    assert user_of(keys, digest) is None


def test_no_key_is_kept_and_what_is_kept_is_different_in_each_process() -> None:
    first, second = opened({ANN: "ann"}), opened({ANN: "ann"})
    assert ANN not in repr(first)
    assert first.keys[0].proof != second.keys[0].proof
    assert first.secret.hex() not in repr(first)


def test_every_key_that_is_written_out_is_registered_to_be_hidden() -> None:
    seen: list[str] = []
    opened({ANN: "ann", "env://BEN_KEY": "ben"}, f"{EVE}:eve", seen=seen, BEN_KEY=BEN)
    assert seen == [ANN, BEN, EVE]
    assert list(raw_keys({ANN: "ann", "env://X": "x", "sha256:" + "a" * 64: "y"}, {"AKILI_API_KEYS": f"{EVE}:e,"})) == [
        ANN,
        EVE,
    ]


def test_a_token_is_compared_with_every_key_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = opened({ANN: "ann", BEN: "ben", EVE: "eve"})
    compared: list[bytes] = []
    real = hmac.compare_digest

    def counting(kept: bytes, given: bytes) -> bool:
        compared.append(kept)
        return real(kept, given)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    assert user_of(keys, ANN) == "ann"
    assert len(compared) == 3


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("nocolonatall", 1),
        (f"{ANN}:ann,nocolon", 2),
        (f"{ANN}:ann,", 2),
        (f"{ANN}:", 1),
        (":ann", 1),
        (f"{ANN}:an\x1bn", 1),
    ],
)
def test_an_entry_that_is_none_is_named_by_its_place_and_not_shown(text: str, place: int) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_variable(text)
    assert f"entry {place} of AKILI_API_KEYS " in str(caught.value)
    assert "nocolon" not in str(caught.value)
    assert ANN not in str(caught.value)


def test_only_the_first_colon_parts_key_and_user() -> None:
    assert parse_variable(f"{ANN}:ann:of:ops") == ((ANN, "ann:of:ops"),)
    assert parse_variable("  ") == ()


@pytest.mark.parametrize("key", ["changeme-changeme-1", "short", "x" * 30])
def test_a_weak_key_does_not_start_wherever_it_comes_from(key: str) -> None:
    for start in (
        lambda: opened({key: "ann"}),
        lambda: opened({}, f"{key}:ann"),
        lambda: opened({"env://K": "ann"}, K=key),
    ):
        with pytest.raises(ConfigError) as caught:
            start()
        assert "the key of entry 1" in str(caught.value)
        assert "akili keys create" in caught.value.hint
        if key != "short":
            assert key not in str(caught.value)


def test_one_key_for_two_users_does_not_start() -> None:
    with pytest.raises(ConfigError, match="entry 2 of AKILI_API_KEYS has the same key as env-1") as caught:
        opened({}, f"{ANN}:ann,{ANN}:ben")
    assert ANN not in str(caught.value)
