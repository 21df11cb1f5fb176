"""Money and durations, short for the eye and exact for the ear."""

import pytest
from django.template import Context, Engine

from bloop_site.lib import figures

NBSP = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def render(source: str, **values: object) -> str:
    engine = Engine(builtins=["bloop_site.templatetags.ui"])
    return engine.from_string(source).render(Context(values))


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (None, DASH),
        (0, "$0.00"),
        (1, f"<{NBSP}$0.0001"),
        (100, "$0.0001"),
        (2_500, "$0.0025"),
        (250_000, "$0.25"),
        (12_400_000, "$12.40"),
        (999_990_000, "$999.99"),
        (999_996_000, f"$1{NBSP}K"),
        (3_100_000_000, f"$3.1{NBSP}K"),
        (123_456_000_000, f"$123{NBSP}K"),
        (999_999_000_000, f"$1{NBSP}M"),
        (2_000_000_000_000_000_000, f"$2,000{NBSP}B"),
        (-2_500, f"{MINUS}$0.0025"),
    ],
)
def test_money_is_short_and_keeps_parts_of_a_cent(micros, shown):
    assert figures.money(micros) == shown


@pytest.mark.parametrize(
    ("micros", "shown"), [(None, DASH), (0, "$0.00"), (12_431_250, "$12.43125"), (3_141_592_653, "$3,141.592653")]
)
def test_exact_money_is_told_to_the_microdollar(micros, shown):
    assert figures.exact_money(micros) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, DASH),
        (0, f"0{NBSP}ms"),
        (0.4, f"<{NBSP}1{NBSP}ms"),
        (850, f"850{NBSP}ms"),
        (999.6, f"1{NBSP}s"),
        (1_240, f"1.2{NBSP}s"),
        (59_949, f"59.9{NBSP}s"),
        (59_990, f"1{NBSP}min"),
        (125_000, f"2{NBSP}min 5{NBSP}s"),
        (3_600_000, f"1{NBSP}h"),
        (90_061_000, f"1{NBSP}d 1{NBSP}h"),
        (-850, f"{MINUS}850{NBSP}ms"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(ms, shown):
    assert figures.duration(ms) == shown


def test_filters_and_tags_say_the_same():
    assert render("{{ n|money }} {{ ms|duration }}", n=2_500, ms=850) == f"$0.0025 850{NBSP}ms"
    assert render("{% spend n %}", n=2_500) == '<data class="number" value="2500">$0.0025</data>'


def test_short_money_carries_the_exact_amount_on_hover_and_for_the_ear():
    drawn = render("{% spend n %}", n=3_141_592_653)

    assert 'title="$3,141.592653"' in drawn
    assert f'<span aria-hidden="true">$3.1{NBSP}K</span>' in drawn
    assert '<span class="sr-only">$3,141.592653</span>' in drawn


def test_a_short_duration_carries_its_milliseconds_and_none_is_a_dash():
    assert f'title="1,240.5{NBSP}ms"' in render("{% took ms %}", ms=1_240.5)
    assert render("{% took ms %}", ms=None) == f'<data class="number" value="">{DASH}</data>'


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (0.0, "as before"),
        (0.004, "as before"),
        (-0.004, "as before"),
        (0.12, f"12{NBSP}% more"),
        (-0.5, f"50{NBSP}% less"),
        (-1.0, f"100{NBSP}% less"),
        (9.0, f"900{NBSP}% more"),
        (11.4, "12 times as much"),
    ],
)
def test_a_change_is_told_in_percent_or_as_a_multiple(part, words):
    assert figures.change(part) == words
