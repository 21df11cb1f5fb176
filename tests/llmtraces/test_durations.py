"""Durations of long windows: whole days and the hours at their ends, as if all were read hour by hour."""

import random
from collections import Counter

import pytest
from django.utils.module_loading import import_string

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS
from llmtraces.contract import Rules, parse_trace
from llmtraces.models import Durations
from llmtraces.packing import packed, unpacked
from llmtraces.percentiles import bucket_of
from llmtraces.queries.durations import durations, summed
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from llmtraces.services.fold import record_traces
from projects.access import Reach
from projects.services.projects import NewProject

NOW = 1_790_000_000_000 - 1_790_000_000_000 % DAY_MS + 10 * HOUR_MS + 25 * MINUTE_MS


def post(new: NewProject, number: int, *, at: int, latency_ms: int) -> None:
    span = {"id": "s", "model": "gpt-4o", "latency_ms": latency_ms, "started_at": at}
    raw = {"id": f"t{number}", "started_at": at, "spans": [span]}
    record_traces([(new.project.pk, at, parse_trace(raw, rules=Rules("none", 10), now_ms=NOW))])


@pytest.fixture
def sent(shop: NewProject) -> list[tuple[int, int]]:
    """When and how long: over forty days, at the borders of hours and days too."""
    chance = random.Random(7)
    borders = [NOW - NOW % DAY_MS - days * DAY_MS + shift for days in range(0, 33, 4) for shift in (-1, 0, HOUR_MS)]
    times = [*borders, *(NOW - chance.randrange(40 * DAY_MS) for _ in range(150))]
    made = [(at, chance.randrange(1, 60_000)) for at in times]
    for number, (at, latency_ms) in enumerate(made):
        post(shop, number, at=at, latency_ms=latency_ms)
    return made


@pytest.mark.parametrize("hours", [1, 24, 48, 49, 72, 167, 168, 720])
@pytest.mark.parametrize("step_ms", [HOUR_MS, DAY_MS])
def test_a_window_counts_each_of_its_durations_once(
    hours: int, step_ms: int, sent: list[tuple[int, int]], shop: NewProject
):
    window = Window(Reach((shop.project.pk,)), hours, NOW)

    found = summed(("all", each.counts) for each in durations(window, "latency", step_ms=step_ms))

    expected = Counter(bucket_of(took) for at, took in sent if window.since_ms <= at < window.until_ms)
    assert found["all"] == expected
    assert differences() == []


def test_long_windows_read_days_where_they_can(sent: list[tuple[int, int]], shop: NewProject):
    window = Window(Reach(None), 720, NOW)

    starts = [each.start_ms for each in durations(window, "latency")]

    assert len(starts) < 35 + 34
    assert sum(start % DAY_MS == 0 for start in starts) > 20


def test_what_an_hour_loses_leaves_no_count_behind(shop: NewProject):
    post(shop, 1, at=NOW, latency_ms=100)
    post(shop, 1, at=NOW, latency_ms=9_000)

    assert [unpacked(row.counts) for row in Durations.objects.filter(kind="latency")] == [{bucket_of(9_000): 1}] * 2


def test_counts_are_packed_without_the_empty_ones_and_alike_whatever_their_order():
    assert packed({3: 1, -1: 2, 7: 0}) == packed({-1: 2, 3: 1})
    assert unpacked(packed({3: 1, -1: 2})) == {-1: 2, 3: 1}
    assert unpacked(b"") == {}


def test_buckets_of_before_are_put_together(shop: NewProject):
    """The migration's own function, on rows as its table had them."""
    row_of = import_string("llmtraces.migrations.0004_durations_in_one_row.row_of")
    made = row_of(Durations, (shop.project.pk, "latency", "m", "p"), NOW - NOW % HOUR_MS, {9: 2, 4: 1}, is_day=False)

    assert unpacked(made.counts) == {4: 1, 9: 2}
    assert (made.project_id, made.kind, made.of, made.by) == (shop.project.pk, "latency", "m", "p")
