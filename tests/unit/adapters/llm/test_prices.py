from __future__ import annotations

import sys

import pytest

from akili_cli.adapters.llm.prices import listed_price, price
from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.domain.messages import Usage

USAGE = Usage(1_000_000, 500_000)
PRICED = PriceSettings(input_usd_per_million=3.0, output_usd_per_million=10.0)


@pytest.mark.parametrize(
    ("settings", "provider", "cost"),
    [
        pytest.param(PRICED, "openai", 8.0, id="operator price"),
        pytest.param(PRICED, "ollama", 8.0, id="operator price beats free provider"),
        pytest.param(PriceSettings(free=True), "openai", 0.0, id="operator says free"),
        pytest.param(None, "ollama", 0.0, id="ollama is free"),
        pytest.param(None, "builtin", 0.0, id="builtin is free"),
        pytest.param(None, "openai", None, id="a model nobody lists"),
        pytest.param(None, "vllm", None, id="unpriced"),
        pytest.param(PriceSettings(input_usd_per_million=3.0), "openai", None, id="half a price is none"),
        pytest.param(PriceSettings(output_usd_per_million=3.0), "ollama", None, id="other half"),
    ],
)
def test_price_is_known_or_honestly_unknown(settings: PriceSettings | None, provider: str, cost: float | None) -> None:
    assert price(USAGE, settings, provider, "m") == cost


def test_a_listed_model_is_priced_without_importing_litellm() -> None:
    before = "litellm" in sys.modules
    cost = price(Usage(1000, 100), None, "openai", "gpt-4o")
    assert cost is not None
    assert 0 < cost < 0.1
    assert ("litellm" in sys.modules) == before


def test_the_same_name_at_another_provider_is_unpriced() -> None:
    assert price(USAGE, None, "vllm", "gpt-4o") is None


def test_output_costs_more_than_input() -> None:
    read, written = listed_price(Usage(1000, 0), "gpt-4o"), listed_price(Usage(0, 1000), "gpt-4o")
    assert read is not None
    assert written is not None
    assert written > read


def test_a_long_input_costs_its_own_rate() -> None:
    short, long = (
        listed_price(Usage(100_000, 0), "gemini/gemini-2.5-pro"),
        listed_price(Usage(400_000, 0), "gemini/gemini-2.5-pro"),
    )
    assert short is not None
    assert long is not None
    assert long > 4 * short


def test_the_first_name_that_is_listed_counts() -> None:
    assert listed_price(Usage(10, 10), "no-such-model-at-all", "gpt-4o") == listed_price(Usage(10, 10), "gpt-4o")
    assert listed_price(Usage(10, 10), "no-such-model-at-all") is None
