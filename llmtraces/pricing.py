"""What a span costs: overrides, then the price table of the genai-prices package (contract 8.3). Pure.

Prices are in picos: millionths of a microdollar for each token, so that a dollar price for a million tokens is a whole
number of them. $2.50 a million is 2.5 microdollars a token, 2,500,000 picos.
"""

import gc
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from bloop_site.lib.clock import DAY_MS, from_ms

PICOS = 1_000_000
# Prefixes by which the contract's table knows models that are sent without one, and dates that versions end on.
PREFIX = re.compile(r"^(?:openai|anthropic|google|azure|cohere|mistral|gemini|bedrock|vertex_ai)/", re.IGNORECASE)
DATE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a span. cached and cache_write are parts of input, reasoning of output."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """Picos for each token. cached, cache_write, reasoning: None where they cost what all input or output does.

    tiers: prices of all tokens of a call whose input is longer than so many, ascending.
    """

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    provider: str = ""
    source: str = "table"  # or "override"
    tiers: tuple[tuple[int, "Price"], ...] = ()

    def cost_micros(self, tokens: Tokens) -> int:
        """Whole microdollars, half up."""
        tier = next((price for start, price in reversed(self.tiers) if tokens.input > start), None)
        if tier is not None:
            return tier.cost_micros(tokens)
        cached = min(tokens.cached, tokens.input)
        written = min(tokens.cache_write, tokens.input - cached)
        reasoning = min(tokens.reasoning, tokens.output)
        picos = (
            (tokens.input - cached - written) * self.input
            + cached * (self.input if self.cached is None else self.cached)
            + written * (self.input if self.cache_write is None else self.cache_write)
            + (tokens.output - reasoning) * self.output
            + reasoning * (self.output if self.reasoning is None else self.reasoning)
        )
        return (picos + PICOS // 2) // PICOS


def price_of(
    model: str, provider: str, *, at_ms: int, own: Mapping[str, Price], general: Mapping[str, Price]
) -> Price | None:
    """The price of a model at a time, None when nobody knows it: the project's override, the global one, the table.

    own, general: overrides by exact model name.
    """
    return own.get(model) or general.get(model) or table_price(model, provider, day=at_ms // DAY_MS)


@lru_cache(maxsize=4096)
def table_price(model: str, provider: str, *, day: int) -> Price | None:
    """The table's price on a day (since the epoch): under the provider given, else under whichever has the model.

    Then without a provider's prefix, and without the date its name ends on.
    """
    names = dict.fromkeys((model, PREFIX.sub("", model), DATE.sub("", model), DATE.sub("", PREFIX.sub("", model))))
    for name in names:
        for of in (provider, None) if provider else (None,):
            found = looked_up(name, of, at=from_ms(day * DAY_MS))
            if found is not None:
                return found
    return None


def looked_up(model: str, provider: str | None, *, at: datetime) -> Price | None:
    """The table's entry."""
    try:
        by, entry = snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    listed = {
        "input": "input_mtok",
        "output": "output_mtok",
        "cached": "cache_read_mtok",
        "cache_write": "cache_write_mtok",
    }
    prices = entry.get_prices(at)
    columns = {name: getattr(prices, key, None) for name, key in listed.items()}
    if columns["input"] is None:
        return None
    if columns["output"] is None:  # embeddings and rerankers: what they answer is no text, and costs nothing
        columns["output"] = Decimal(0)
    starts = sorted({tier.start for column in columns.values() for tier in getattr(column, "tiers", ())})
    tiers = tuple((start, Price(**at_tier(columns, start), provider=by.id)) for start in starts)
    return Price(**at_tier(columns, 0), provider=by.id, tiers=tiers)


@lru_cache(maxsize=1)
def snapshot() -> Any:
    """The table. It stays as it is, so the collector is spared it from then on."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  12 MB, loaded where a price is asked for

    found = get_snapshot()
    gc.freeze()
    return found


def at_tier(columns: Mapping[str, Any], start: int) -> dict[str, Any]:
    """The picos of each column for calls of more than `start` input tokens."""
    return {name: picos(column, start) for name, column in columns.items()}


def picos(column: Any, start: int) -> int | None:
    """A dollar price for a million tokens in picos; of a tiered one the tier that holds above `start`."""
    dollars = getattr(column, "base", column)
    for tier in getattr(column, "tiers", ()):
        if tier.start <= start:
            dollars = tier.price
    return None if dollars is None else int(Decimal(dollars) * PICOS)


@lru_cache(maxsize=1)
def table_size() -> int:
    """How many models the table lists."""
    return sum(len(provider.models) for provider in snapshot().providers)
