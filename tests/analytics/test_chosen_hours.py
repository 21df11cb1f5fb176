"""Hours chosen on a chart of Insights: every page answers for them alone, however long ago it was."""

import pytest
from django.test import Client

from analytics.dashboard import shell
from bloop_site.lib.clock import HOUR_MS
from projects.services.projects import NewProject
from tests.analytics.test_pages import html_of, words_of
from tests.analytics.told import HOUR, NOW, tell


@pytest.fixture(autouse=True)
def at_half_past(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "now_ms", lambda: NOW)


def hours_ago(first: int, last: int) -> str:
    """The hours from one to another, each so many before the running one, as an address has them."""
    return f"from={HOUR - first * HOUR_MS}&to={HOUR - (last - 1) * HOUR_MS}"


def test_each_page_counts_the_chosen_hours_and_compares_them_with_as_many_before(
    member_client: Client, shop: NewProject
):
    tell(shop.project, "Wave", {1: 50, 4: 2, 5: 4, 6: 1, 7: 2, 9: 70})
    chosen = hours_ago(5, 4)

    environments = member_client.get(f"/insights/environments?{chosen}").context
    (mover,) = member_client.get(f"/insights/movers?{chosen}").context["rows"]

    assert (environments["total"], environments["chart"].starts_ms) == (6, (HOUR - 5 * HOUR_MS, HOUR - 4 * HOUR_MS))
    assert (mover.of.count_current, mover.of.count_previous, mover.of.counts) == (6, 3, (2, 1, 4, 2))
    assert "2 hours, twice" in words_of(member_client, f"/insights/movers?{chosen}")


def test_a_spike_within_the_chosen_hours_is_measured_by_them_or_by_what_came_before(
    member_client: Client, shop: NewProject
):
    tell(shop.project, "Burst", {**dict.fromkeys(range(1, 80), 1), 0: 99, 30: 20})
    chosen = hours_ago(40, 21)

    for method in ("classic", "seasonal"):
        (row,) = member_client.get(f"/insights?method={method}&{chosen}").context["rows"]
        assert (row.of.hour_ms, row.of.count, len(row.of.counts)) == (HOUR - 30 * HOUR_MS, 20, 20)
        assert row.of.counts[row.index] == 20


def test_two_issues_go_together_within_the_chosen_hours_alone(member_client: Client, shop: NewProject):
    rising = {ago: 20 - ago for ago in range(10, 18)}
    tell(shop.project, "Alpha", rising)
    tell(shop.project, "Beta", {**rising, 2: 90, 3: 1, 4: 80})

    assert len(member_client.get(f"/insights/correlations?{hours_ago(17, 10)}").context["rows"]) == 1
    assert not member_client.get("/insights/correlations?hours=18").context["rows"]


def test_the_hours_stand_as_a_chip_go_from_page_to_page_and_are_left_for_the_window(
    member_client: Client, shop: NewProject
):
    tell(shop.project, "Wave", {4: 2})
    chosen = hours_ago(5, 4)

    page = html_of(member_client, f"/insights/environments?hours=24&environment=production&{chosen}")

    start, end = (part.partition("=")[2] for part in chosen.split("&"))
    assert f'href="/insights/movers?hours=24&amp;from={start}&amp;to={end}&amp;environment=production"' in page
    assert '<a class="chip" href="?hours=24&amp;environment=production">' in page
    assert 'href="?hours=72&amp;environment=production"' in page
    assert 'data-window aria-current="true"' not in page
    assert f'name="from" value="{start}"' in page
    assert f'data-chart-zoom="{start} 3600000 2"' in page


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        (719, 719, 1),  # the first hour of the longest window
        (730, 715, 5),  # what lies before it is left out
        (0, -3, 1),  # as is what has not been
    ],
)
def test_chosen_hours_lie_within_the_longest_window(
    first: int, last: int, shown: int, member_client: Client, shop: NewProject
):
    asked = member_client.get(f"/insights/environments?{hours_ago(first, last)}").context["shell"].ask

    assert asked.hours == shown


@pytest.mark.parametrize("hours", [hours_ago(730, 720), hours_ago(-2, -3), "from=5&to=4", "from=x&to=1", "from=1"])
def test_hours_that_no_page_can_show_leave_the_window_as_it_is(hours: str, member_client: Client, shop: NewProject):
    shown = member_client.get(f"/insights/environments?hours=24&{hours}").context

    assert (shown["shell"].ask.hours, shown["shell"].ask.ends_ms, shown["zoom_chips"]) == (24, None, [])


@pytest.mark.parametrize(("hours", "can_zoom"), [(360, True), (361, False)])
def test_the_chart_of_a_mover_offers_no_hours_that_cannot_be_shown(
    hours: int, member_client: Client, shop: NewProject, *, can_zoom: bool
):
    tell(shop.project, "Wave", {4: 2})
    (row,) = member_client.get(f"/insights/movers?hours={hours}").context["rows"]

    page = html_of(member_client, f"/insights/movers?hours={hours}&open={row.opening.key}")

    assert ("data-chart-zoom=" in page) is can_zoom


def test_an_answer_of_chosen_hours_is_kept_apart_from_others(member_client: Client, shop: NewProject):
    tell(shop.project, "Wave", {1: 7, 5: 3})

    totals = [
        member_client.get(f"/insights/environments?{query}").context["total"]
        for query in ("hours=1", hours_ago(1, 1), hours_ago(5, 5), hours_ago(5, 5))
    ]

    assert totals == [0, 7, 3, 3]


def test_a_calm_hour_is_called_what_it_is(member_client: Client, shop: NewProject):
    tell(shop.project, "Wave", {1: 7})

    assert "There were 7 events in this hour." in words_of(member_client, f"/insights?{hours_ago(1, 1)}")
    words = words_of(member_client, f"/insights?{hours_ago(9, 8)}")
    assert "No events in these 2 hours" in words
    assert "longer window" not in words
