"""What a call costs: the operator's price, else the list that litellm ships, else honestly unknown."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.domain.messages import Usage

_PER = 1_000_000
_FREE_PROVIDERS = frozenset({"ollama", "builtin"})
_LISTED_PROVIDERS = frozenset({"anthropic", "openai", "gemini"})
_LISTS = "model_prices_and_context_window*.json"
_ABOVE = re.compile(r"(?P<side>input|output)_cost_per_token_above_(?P<thousands>\d{1,5})k_tokens")


def price(usage: Usage, settings: PriceSettings | None, provider: str, model: str) -> float | None:
    """Give the cost in USD, or None for "unpriced".

    1. The operator's price for the provider wins; half a price (input or output alone) prices nothing.
    2. Ollama and whatever the operator calls ``free`` cost 0.0.
    3. Anthropic, OpenAI and Gemini are priced by the list that litellm ships.
    4. Everything else is unpriced: the same model name costs something else elsewhere.
    """
    if settings is not None:
        return _own_price(usage, settings)
    if provider in _FREE_PROVIDERS:
        return 0.0
    if provider not in _LISTED_PROVIDERS:
        return None
    return listed_price(usage, model, f"{provider}/{model}")


def _own_price(usage: Usage, settings: PriceSettings) -> float | None:
    if settings.free:
        return 0.0
    if settings.input_usd_per_million is None or settings.output_usd_per_million is None:
        return None
    cost = usage.input_tokens * settings.input_usd_per_million
    return (cost + usage.output_tokens * settings.output_usd_per_million) / _PER


def listed_price(usage: Usage, *names: str) -> float | None:
    """Give the list's cost under the first of some names that it prices; long inputs cost their own rate."""
    for name in names:
        rates = _rates(name)
        if rates is not None:
            read, written = (_rate(rates, side, usage.input_tokens) for side in ("input", "output"))
            return usage.input_tokens * read + usage.output_tokens * written
    return None


def _rate(rates: Mapping[str, float], side: str, input_tokens: int) -> float:
    found, above = rates[f"{side}_cost_per_token"], 0
    for key, rate in rates.items():
        tier = _ABOVE.fullmatch(key)
        if tier is not None and tier["side"] == side and above < 1000 * int(tier["thousands"]) < input_tokens:
            found, above = rate, 1000 * int(tier["thousands"])
    return found


@lru_cache(maxsize=64)
def _rates(name: str) -> Mapping[str, float] | None:
    """Read one model's entry; the list is 3 MB and not kept. None when there is no list or no whole price."""
    path = _list_path()
    if path is None:
        return None
    try:
        entry = json.loads(path.read_bytes()).get(name)
    except (OSError, ValueError, AttributeError):
        return None
    if not isinstance(entry, dict):
        return None
    rates = {key: float(rate) for key, rate in entry.items() if _is_rate(key, rate)}
    return rates if {"input_cost_per_token", "output_cost_per_token"} <= rates.keys() else None


def _is_rate(key: str, rate: object) -> bool:
    known = key in ("input_cost_per_token", "output_cost_per_token") or _ABOVE.fullmatch(key) is not None
    return known and isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate < 1


def _list_path() -> Path | None:
    """Find the list beside litellm without importing it, which would take seconds."""
    found = importlib.util.find_spec("litellm")
    for place in (found.submodule_search_locations or ()) if found else ():
        for path in sorted(Path(place).glob(_LISTS)):
            return path
    return None
