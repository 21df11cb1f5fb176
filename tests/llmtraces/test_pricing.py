"""Prices: contract 8.3's lookup, tiers, caches; the table's figures are the package's."""

import pytest

from llmtraces.pricing import Price, Tokens, price_of

AT = 1_760_000_000_000


def cost(model: str, provider: str = "", **tokens: int) -> int | None:
    price = price_of(model, provider, at_ms=AT, own={}, general={})
    return None if price is None else price.cost_micros(Tokens(**{"input": 0, "output": 0, **tokens}))


def test_d18_the_reference_price():
    assert cost("gpt-4o", input=500, output=100) == 2250


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("openai/gpt-4o", ""),
        ("gpt-4o-2024-08-06", ""),
        ("openai/gpt-4o-2024-08-06", "openai"),
        ("gpt-4o", "our-own-gateway"),
        ("GPT-4o", "OpenAI"),
    ],
)
def test_a_model_is_known_under_its_variants(model: str, provider: str):
    assert cost(model, provider, input=500, output=100) == 2250


@pytest.mark.parametrize(
    ("model", "provider", "micros"),
    [
        ("text-embedding-3-small", "openai", 20_000),
        ("text-embedding-ada-002", "openai", 100_000),
        ("voyage-3", "", 60_000),
    ],
)
def test_a_model_that_only_reads_costs_what_it_reads(model: str, provider: str, micros: int):
    assert cost(model, provider, input=1_000_000) == micros


def test_eight_digit_dates_are_stripped():
    assert cost("claude-3-5-sonnet-20241022", "anthropic", input=1000) == 3000


@pytest.mark.parametrize("model", ["our-own-7b", "", "gpt", "💥"])
def test_nobody_knows_what_an_unheard_of_model_costs(model: str):
    assert cost(model, input=10) is None


def test_tokens_from_a_cache_cost_what_the_table_says():
    assert cost("gpt-4o", input=1000, cached=1000) == 1250
    assert cost("gpt-4o", input=1000, cached=5000) == 1250, "no more tokens come from a cache than went in"


def test_an_override_of_the_project_goes_before_the_global_one_and_that_before_the_table():
    own, general = {"gpt-4o": Price(1, 1)}, {"gpt-4o": Price(2, 2), "x": Price(3, 3)}

    assert price_of("gpt-4o", "", at_ms=AT, own=own, general=general) == Price(1, 1)
    assert price_of("gpt-4o", "", at_ms=AT, own={}, general=general) == Price(2, 2)
    assert price_of("x", "", at_ms=AT, own={}, general=general) == Price(3, 3)


def test_a_long_call_is_priced_by_its_tier_as_a_whole():
    price = Price(1_000_000, 1_000_000, tiers=((200, Price(2_000_000, 3_000_000)),))

    assert price.cost_micros(Tokens(200, 10)) == 210
    assert price.cost_micros(Tokens(201, 10)) == 402 + 30


def test_kinds_of_tokens_are_priced_apart_and_rounded_once():
    price = Price(500_000, 2_000_000, cached=100_000, cache_write=700_000, reasoning=3_000_000)

    assert price.cost_micros(Tokens(10, 5, cached=3, cache_write=2, reasoning=1)) == round(2.5 + 0.3 + 1.4 + 8 + 3)
    assert Price(500_000, 0).cost_micros(Tokens(1, 0)) == 1, "half up"
