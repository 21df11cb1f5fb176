"""Hours in an address: read, widened to whole ones, told as a chip, bounded."""

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.zoom import MAX_HOURS, zoom_in

NOON = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        (f"from={NOON}&to={NOON + 4 * HOUR_MS}", (0, 4)),
        (f"from={NOON + 1}&to={NOON + 4 * HOUR_MS}", (0, 4)),
        (f"from={NOON}&to={NOON + 4 * HOUR_MS + 1}", (0, 5)),
        (f"from={NOON}&to={NOON + 1}", (0, 1)),
        (f"from={NOON}&to={NOON + 720 * HOUR_MS}", (0, 720)),
        (f"from={NOON + 1}&to={NOON + 720 * HOUR_MS + 1}", (0, 720)),
    ],
)
def test_hours_of_an_address_are_whole(query: str, hours: tuple[int, int]):
    zoom = zoom_in(QueryDict(query))

    assert zoom is not None
    assert (zoom.start_ms, zoom.end_ms) == tuple(NOON + hour * HOUR_MS for hour in hours)
    assert zoom.hours == hours[1]


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"from={NOON}",
        f"to={NOON}",
        f"from={NOON}&to={NOON}",
        f"from={NOON}&to={NOON - 1}",
        f"from={NOON}&to={NOON + 720 * HOUR_MS + 1}",
        f"from=0&to={NOON}",
        f"from=-1&to={NOON}",
        f"from=x&to={NOON}",
        f"from=1e3&to={NOON}",
        "from=1&to=9999999999999999999999",
        "from=٣&to=٩",
    ],
)
def test_nonsense_is_no_zoom(query: str):
    assert zoom_in(QueryDict(query)) is None


@given(st.integers(1, 10**17), st.integers(1, MAX_HOURS * HOUR_MS))
def test_what_was_asked_for_lies_within_and_the_zoom_of_a_zoom_is_itself(start: int, length: int):
    zoom = zoom_in(QueryDict(f"from={start}&to={start + length}"))

    assert zoom is not None
    assert zoom.start_ms <= start
    assert zoom.end_ms - zoom.start_ms <= MAX_HOURS * HOUR_MS
    assert zoom.end_ms >= start + length or zoom.hours == MAX_HOURS
    if zoom.start_ms:
        again = QueryDict(mutable=True)
        again.update(zoom.query)
        assert zoom_in(again) == zoom


def test_the_chip_leads_back_to_the_window_that_was_left():
    query = QueryDict(f"hours=168&from={NOON}&to={NOON + HOUR_MS}&model=m&page=3")
    zoom = zoom_in(query)

    assert zoom is not None
    assert zoom.chip(query).remove_url == "?hours=168&model=m"
