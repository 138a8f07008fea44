from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from akili_cli.adapters.llm.fallback import FallbackModel
from akili_cli.adapters.llm.open import OpenedModels, open_models
from akili_cli.adapters.llm.providers.litellm import LiteLLM
from akili_cli.adapters.llm.providers.openai_compatible import OpenAICompatible
from akili_cli.adapters.llm.settings import ProvidersSettings
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.secrets.settings import SecretsSettings
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.messages import Usage
from tests.fakes.chat import QuickClock, ask, listen
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.models import SayingModel

BUILTIN = SayingModel("builtin")
KEYS = {"ANTHROPIC_API_KEY": "sk-a", "OPENAI_API_KEY": "sk-o", "GEMINI_API_KEY": "sk-g"}
CUSTOM = {"kind": "openai_compatible", "model": "m", "base_url": "http://127.0.0.1:1"}


def opened(
    settings: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    secrets: dict[str, str] | None = None,
) -> OpenedModels:
    found = {} if secrets is None else secrets
    chain = SecretChain(
        SecretsSettings.model_validate({}),
        env=env or {},
        directory=Path("/nonexistent"),
        register=lambda value, name: found.update({value: name}),
    )
    return open_models(
        ProvidersSettings.model_validate(settings or {}),
        env=env or {},
        builtin=BUILTIN,
        resolve=chain.resolve,
        register_secret=lambda value, name: found.update({value: name}),
        clock=QuickClock(),
    )


def test_builtin_answers_when_nothing_is_configured() -> None:
    assert opened() == OpenedModels(BUILTIN, 4096, 120.0, 128_000)


@pytest.mark.parametrize(
    ("env", "provider", "model", "kind"),
    [
        (KEYS, "anthropic", "claude-sonnet-4-5-20250929", LiteLLM),
        ({**KEYS, "ANTHROPIC_API_KEY": " "}, "openai", "gpt-4o", OpenAICompatible),
        ({"GEMINI_API_KEY": "sk-g"}, "gemini", "gemini-2.0-flash", LiteLLM),
    ],
)
def test_first_key_of_the_environment_decides(env: dict[str, str], provider: str, model: str, kind: type) -> None:
    chosen = opened(env=env).model
    assert isinstance(chosen, kind)
    assert (chosen.provider, chosen.model) == (provider, model)


def test_default_beats_the_environment_and_ollama_is_free() -> None:
    model = opened({"default": "ollama"}, KEYS).model
    assert (model.provider, model.model, model.price(Usage(1, 1))) == ("ollama", "llama3.1", 0.0)


def test_settings_of_the_default_give_the_limits() -> None:
    own = {"max_tokens": 99, "timeout_seconds": 7, "context_tokens": 5000, "model": "x"}
    result = opened({"default": "ollama", "ollama": own})
    assert (result.max_tokens, result.timeout_s, result.context_tokens) == (99, 7.0, 5000)
    assert result.model.model == "x"


@pytest.mark.parametrize(
    "settings",
    [
        {"default": "builtin"},
        {"default": "builtin", "builtin": {}},
        {"default": "mine", "mine": {"kind": "builtin"}},
    ],
)
def test_builtin_can_be_asked_for_by_name(settings: dict[str, Any]) -> None:
    assert opened(settings, KEYS).model is BUILTIN


async def test_key_is_sent_registered_and_never_shown() -> None:
    secrets: dict[str, str] = {}
    with ModelServer([Reply(text="hi")]) as server:
        settings = {"default": "vllm", "vllm": {**CUSTOM, "base_url": server.url, "api_key": "env://MINE"}}
        model = opened(settings, {"MINE": "sk-mine"}, secrets).model
        await listen(model, ask())
        await model.close()
    assert server.headers[0]["authorization"] == "Bearer sk-mine"
    assert secrets == {"sk-mine": "env://MINE"}
    assert "sk-mine" not in repr(vars(model))


async def test_server_without_a_key_gets_none() -> None:
    with ModelServer([Reply(text="hi")]) as server:
        model = opened({"default": "vllm", "vllm": {**CUSTOM, "base_url": server.url}}, KEYS).model
        await listen(model, ask())
        await model.close()
    assert "authorization" not in server.headers[0]


def test_key_may_stand_in_a_private_file(tmp_path: Path) -> None:
    secrets: dict[str, str] = {}
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("sk-file\n")
    opened({"default": "openai", "openai": {"api_key": f"file://{tmp_path / 'key'}"}}, {}, secrets)
    assert list(secrets) == ["sk-file"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"default": "anthropic"}, "ANTHROPIC_API_KEY", id="no key"),
        pytest.param({"default": "openai", "openai": {"api_key": "env://MINE"}}, "MINE", id="no own key"),
        pytest.param({"default": "openai", "openai": {"api_key": "sk-abc"}}, "providers.openai.api_key", id="key"),
        pytest.param({"default": "openai", "openai": {"api_key": "file:///no"}}, "openai.api_key", id="no file"),
        pytest.param({"default": "opnai"}, "providers.opnai.kind", id="unknown name"),
        pytest.param({"default": "x", "x": {"model": "m"}}, "providers.x.kind", id="no kind"),
        pytest.param({"default": "x", "x": {"kind": "grpc", "model": "m"}}, "providers.x.kind", id="bad kind"),
        pytest.param({"default": "x", "x": {"kind": "litellm"}}, "providers.x.model", id="no model"),
        pytest.param({"default": "x", "x": {**CUSTOM, "base_url": None}}, "providers.x.base_url", id="no url"),
        pytest.param({"default": "x", "x": {**CUSTOM, "model": " "}}, "providers.x.model", id="blank model"),
        pytest.param(
            {"default": "x", "x": {**CUSTOM, "price": {"input_usd_per_million": 1}}}, "x.price", id="half a price"
        ),
        pytest.param(
            {"default": "x", "x": {**CUSTOM, "price": {"input_usd_per_million": 1, "free": True}}},
            "x.price",
            id="free and not free",
        ),
        pytest.param(
            {
                "default": "x",
                "x": {
                    **CUSTOM,
                    "price": {"input_usd_per_million": float("inf"), "output_usd_per_million": 1},
                },
            },
            "x.price",
            id="infinite price",
        ),
    ],
)
def test_default_that_cannot_be_built_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(settings)
    assert words in str(caught.value)
    assert "sk-abc" not in str(caught.value) + caught.value.hint
    assert caught.value.hint or "finite" in str(caught.value) or "file" in str(caught.value)


def test_near_name_is_suggested() -> None:
    with pytest.raises(ConfigError) as caught:
        opened({"default": "opnai"})
    assert caught.value.hint == "did you mean openai?"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://user:pw@host",
        "http://host/?key=1",
        "http://host/#x",
        "http://host?",
        "http://ho st",
        "http://host\n",
        "http://host:99999",
        "http://[::1",
        "http://hóst",
        "http://host\\@evil",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("kind", ["openai_compatible", "litellm"])
def test_base_url_that_is_none_is_refused(url: str, kind: str) -> None:
    with pytest.raises(ConfigError, match=r"providers\.x\.base_url"):
        opened({"default": "x", "x": {**CUSTOM, "kind": kind, "base_url": url}})


def test_fallbacks_follow_in_order_without_repeats() -> None:
    result = opened({"default": "x", "x": CUSTOM, "fallback": ["ollama", "x", "builtin", "ollama"]})
    assert isinstance(result.model, FallbackModel)
    assert [model.provider for model in result.model._models] == ["x", "ollama", "builtin"]
    assert result.warnings == ()


def test_fallback_that_cannot_be_built_is_left_out_with_a_warning() -> None:
    result = opened({"default": "ollama", "fallback": ["openai", "nobody"]})
    assert isinstance(result.model, OpenAICompatible)
    assert ["openai is left out" in result.warnings[0], "OPENAI_API_KEY" in result.warnings[0]] == [True, True]
    assert "nobody is left out" in result.warnings[1]


def test_settings_that_nobody_uses_are_warned_about() -> None:
    unused = opened({"ollama": {}, "vllm": CUSTOM})
    assert unused.model is BUILTIN
    assert unused.warnings == (
        "providers.ollama is not used: providers.default is not set",
        "providers.vllm is not used: providers.default is not set",
    )
    assert opened({"default": "builtin", "fallback": ["ollama"]}).warnings == (
        "providers.fallback: ollama is not used after builtin",
    )
