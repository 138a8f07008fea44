"""What a call costs: the operator's price, or zero where that is certain, or honestly unknown."""

from __future__ import annotations

from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.domain.messages import Usage

_PER = 1_000_000
_FREE_PROVIDERS = frozenset({"ollama", "builtin"})


def price(usage: Usage, settings: PriceSettings | None, provider: str, _model: str) -> float | None:
    """Give the cost in USD, or None for "unpriced".

    1. The operator's price for the provider wins; half a price (input or output alone) prices nothing.
    2. Ollama and whatever the operator calls ``free`` cost 0.0.
    3. Everything else is unpriced here: a table of our own would be wrong within weeks. Providers reached
       through litellm ask its price map next.
    """
    if settings is not None and settings.free:
        return 0.0
    if (
        settings is not None
        and settings.input_usd_per_million is not None
        and settings.output_usd_per_million is not None
    ):
        cost = usage.input_tokens * settings.input_usd_per_million
        return (cost + usage.output_tokens * settings.output_usd_per_million) / _PER
    return 0.0 if settings is None and provider in _FREE_PROVIDERS else None
