"""Small charts and figures of the rows of Insights."""

import re

import pytest

from analytics.templatetags.insights import bar_width, correlation, focused_hours, hour_time, overlaid, score
from bloop_site.lib.charts import GREY, Chart, Series

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((0.0, "0"), (0.04, f"<{NBSP}0.1"), (0.05, "0.1"), (5.81, "5.8"), (12.0, "12"), (99.96, "100")),
        *((1234.5, "1,234"), (-2.25, "-2.2")),
    ],
)
def test_a_number_of_events_an_hour_is_told_with_at_most_one_digit(value: float, shown: str):
    assert score(value) == shown


@pytest.mark.parametrize(("r", "shown"), [(0.7, "0.70"), (0.934, "0.93"), (0.9999, "0.99"), (1.0, "1.00")])
def test_only_what_is_always_together_is_1(r: float, shown: str):
    assert correlation(r) == shown


@pytest.mark.parametrize(("share", "width"), [(0.0, "2.00"), (0.5, "50.00"), (1.0, "100.00"), (7.0, "100.00")])
def test_a_bar_can_be_seen_and_ends_with_its_frame(share: float, width: str):
    assert bar_width(share) == width


def test_the_hour_in_focus_has_its_colour_and_the_others_are_grey():
    drawn = focused_hours([1, 4, 0], 1, 2, "strong")

    assert '<path class="insight-chart__rest" d="M0 32v-8h60v8zM160 32v-0.5h60v0.5z"/>' in drawn
    assert '<path class="insight-chart__strong" d="M80 32v-32h60v32z"/>' in drawn
    assert 'aria-label="5 events in 3 hours, at most 4"' in drawn


@pytest.mark.parametrize("hours", [119, 120, 121, 720, 1440])
def test_long_windows_are_drawn_in_groups_and_keep_their_spike(hours: int):
    counts = [0] * hours
    counts[-1] = 50

    drawn = focused_hours(counts, hours - 1, hours, "extreme")

    quiet, marked = re.findall(r' d="([^"]*)"', drawn)
    assert quiet.count("M") + 1 <= 120
    assert (marked.count("M"), "v-32h" in marked) == (1, True)


def test_no_hours_at_all_are_an_empty_drawing():
    assert 'aria-label="0 events in 0 hours, at most 0"' in focused_hours([], 0, 0, "mild")


def test_two_curves_are_each_as_tall_as_their_own_busiest_hour():
    drawn = overlaid([0, 10], [1000, 500], "a < b")

    assert re.findall(r'points="([^"]+)"', drawn) == ["60,31 180,1", "60,1 180,16"]
    assert 'aria-label="a &lt; b"' in drawn


def test_an_hour_is_told_in_utc_for_time_js_to_turn_into_local_time():
    drawn = hour_time(1_760_000_400_000)

    assert 'datetime="2025-10-09T09:00:00.000Z"' in drawn
    assert 'data-time="hour">9 Oct, 09:00 UTC</time>' in drawn


def test_a_chart_in_focus_paints_its_one_series_in_two_colours():
    chart = Chart("c", "Events", "bars", "count", (Series("Events", 1, (1, 2, 3)),), focus=(1, 2))

    assert chart.painted == (Series("Events", GREY, (1, 0, 3)), Series("Events", 1, (0, 2, 0)))
    assert chart.data["focus"] == (1, 2)
    assert chart.total == 6
