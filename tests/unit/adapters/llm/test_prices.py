from __future__ import annotations

import pytest

from akili_cli.adapters.llm.prices import price
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
        pytest.param(None, "openai", None, id="unpriced"),
        pytest.param(PriceSettings(input_usd_per_million=3.0), "openai", None, id="half a price is none"),
        pytest.param(PriceSettings(output_usd_per_million=3.0), "ollama", None, id="other half"),
    ],
)
def test_price_is_known_or_honestly_unknown(settings: PriceSettings | None, provider: str, cost: float | None) -> None:
    assert price(USAGE, settings, provider, "m") == cost
