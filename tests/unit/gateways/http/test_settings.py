from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from akili_cli.domain.errors import ConfigError
from akili_cli.gateways.http.settings import HttpSettings, check_http

KEY = "k7Qz9mTr4Lw2Vx8Np3"


def http(**given: Any) -> HttpSettings:
    return HttpSettings.model_validate({"enabled": True, **given})


def test_the_defaults_are_off_and_on_this_machine_only() -> None:
    settings = HttpSettings.model_validate({})
    assert not settings.enabled
    assert settings.listen_addr == "127.0.0.1:8080"
    assert not settings.enable_docs
    assert not settings.sse
    assert settings.rate_limit.requests_per_minute == 0


@pytest.mark.parametrize("listen", [":8080", "0.0.0.0:8080", "[::]:8080", "10.1.2.3:8080"])
def test_listening_for_other_machines_without_any_key_does_not_start(listen: str) -> None:
    with pytest.raises(ConfigError, match="reachable from other machines") as caught:
        check_http(http(listen_addr=listen), has_keys=False)
    assert "akili keys create" in caught.value.hint
    assert check_http(http(listen_addr=listen), has_keys=True) == ()


def test_listening_here_without_any_key_is_warned_of() -> None:
    (warning,) = check_http(http(), has_keys=False)
    assert "akili keys create" in warning


def test_a_gateway_that_is_off_needs_no_key() -> None:
    assert check_http(HttpSettings(listen_addr=":8080"), has_keys=False) == ()


@pytest.mark.parametrize("key", ["tooshort", "changeme-changeme-changeme"])
def test_a_weak_key_is_refused_by_its_place_and_never_shown(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        http(api_key_user_mapping={KEY: "ann", key: "ben"})
    (error,) = caught.value.errors()
    assert error["loc"] == ("api_key_user_mapping",)
    assert "entry 2" in error["msg"]
    assert key not in error["msg"]


def test_a_wrong_user_is_refused_without_showing_the_key() -> None:
    for user in ("", "a\nb", 5, None):
        with pytest.raises(ValidationError) as caught:
            http(api_key_user_mapping={KEY: user})
        assert all(KEY not in f"{error['loc']} {error['msg']}" for error in caught.value.errors())


def test_digests_and_references_stand_for_keys() -> None:
    mapping = {"env://KEY_OF_ANN": "ann", "sha256:" + "ab" * 32: "ben", KEY: "eve"}
    assert http(api_key_user_mapping=mapping).api_key_user_mapping == mapping


@pytest.mark.parametrize("origin", ["*", "null", "https://*.example.com", "https://a.example/", "HTTPS://A.example"])
def test_an_origin_that_is_not_exactly_one_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError):
        http(cors_origins=[origin])


def test_an_origin_may_have_a_port() -> None:
    assert http(cors_origins=["http://127.0.0.1:3000"]).cors_origins == ("http://127.0.0.1:3000",)
