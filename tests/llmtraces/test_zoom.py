"""Hours chosen on a chart: every page of the section shows these and no others, and links keep them."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of
from bloop_site.templatetags.ui import visible
from llmtraces.dashboard import shell
from llmtraces.queries.judgements import score_cards, thumbs, thumbs_over_time
from llmtraces.queries.search import matches
from llmtraces.queries.series import slots_of
from llmtraces.queries.sessions import session_page
from llmtraces.queries.traces import ORDERS, TraceFilter, trace_list, trace_total
from llmtraces.queries.usage import overview
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from projects.access import Reach
from projects.services.projects import NewProject
from tests.llmtraces.judging_of import score, thumb
from tests.llmtraces.made import make_traces, trace_of

NOON = 1_760_000_000_000 - 1_760_000_000_000 % DAY_MS + 12 * HOUR_MS
NOW = NOON + 9 * HOUR_MS + HOUR_MS // 2
FROM, TO = NOON, NOON + 3 * HOUR_MS
ZOOM = f"from={FROM}&to={TO}"
AROUND = {"before": FROM - 1, "first": FROM, "last": TO - 1, "after": TO}


@pytest.fixture(autouse=True)
def at_half_past(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shell, "now_ms", lambda: NOW)
    yield
    assert differences() == []


def chosen(shop: NewProject, *, hours: int = 3, ends_ms: int = TO) -> Window:
    return Window(Reach((shop.project.pk,)), hours, NOW, ends_ms=ends_ms)


def make_around(shop: NewProject) -> None:
    """A trace of its own session just outside and just inside of each end of the chosen hours."""
    for name, at in AROUND.items():
        span = {"id": "s", "name": "chat", "model": "gpt-4o", "cost": 0.01, "input_tokens": 10}
        make_traces(
            shop.project,
            trace_of(name, started_at=at, session_id=f"of-{name}", prompt_name="greet", name="word", spans=[span]),
        )


# --- The window -------------------------------------------------------------------------------------------------------


def test_chosen_hours_end_where_they_end_and_are_compared_with_as_many_before(shop: NewProject):
    window = chosen(shop)

    assert (window.since_ms, window.until_ms) == (FROM, TO)
    assert (window.before().since_ms, window.before().until_ms) == (FROM - 3 * HOUR_MS, FROM)
    assert window.elapsed == 1
    assert window.words == "these 3 hours"
    assert Window(window.reach, 1, NOW, ends_ms=TO).words == "this hour"


def test_chosen_hours_that_still_run_are_measured_by_what_is_over(shop: NewProject):
    window = chosen(shop, hours=2, ends_ms=hour_of(NOW) + HOUR_MS)

    assert window.elapsed == 0.75
    assert chosen(shop, ends_ms=NOW + 9 * DAY_MS).elapsed == 0


def test_a_window_up_to_now_is_compared_as_ever(shop: NewProject):
    window = Window(Reach(None), 24, NOW)
    before = window.before()

    assert (before.since_ms, before.until_ms) == (window.since_ms - 25 * HOUR_MS, window.since_ms)
    assert window.elapsed == 24.5 / 25


# --- What is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("filters", [{}, {"prompt_name": "greet"}, {"min_cost_micros": 1}])
def test_traces_are_those_that_began_in_the_hours(sort: str, filters: dict[str, str], shop: NewProject):
    make_around(shop)
    wanted = TraceFilter(sort=sort, **filters)  # type: ignore[arg-type]
    long = chosen(shop, hours=168)

    assert {trace.trace_id for trace in trace_list(chosen(shop), wanted)} == {"first", "last"}
    assert trace_total(chosen(shop), wanted) == 2
    assert {trace.trace_id for trace in trace_list(long, wanted)} == {"before", "first", "last"}


def test_sums_search_sessions_and_judgements_are_of_the_hours(shop: NewProject):
    make_around(shop)
    for name, at in AROUND.items():
        score(shop.project, name, 0.5, at=at)
        thumb(shop.project, name, 1, at=at)
    make_traces(shop.project, trace_of("again", started_at=TO + 1, session_id="of-first", name="word"))
    make_traces(shop.project, trace_of("ended", started_at=TO + 2, session_id="of-before", name="word"))
    window = chosen(shop)

    assert overview(window).total_traces == 2
    assert overview(window.before()).total_traces == 1
    assert len(matches(window, "word").ids) == 2
    rows, total = session_page(window, limit=9)
    assert ({row.session_id for row in rows}, total) == ({"of-first", "of-last"}, 2)
    assert {row.trace_count for row in rows} == {1}
    assert score_cards(window)[0].count == 2
    assert thumbs(window).total == 2
    assert [each.since_ms for each in thumbs_over_time(window)] == [FROM, FROM + HOUR_MS, FROM + 2 * HOUR_MS]
    assert slots_of(window).starts_ms == (FROM, FROM + HOUR_MS, FROM + 2 * HOUR_MS)


# --- The pages --------------------------------------------------------------------------------------------------------


def test_the_overview_compares_chosen_hours_with_those_just_before(admin_client: Client, shop: NewProject):
    make_around(shop)
    for number in range(3):
        make_traces(shop.project, trace_of(f"early-{number}", started_at=FROM - 2 * HOUR_MS))

    answer = admin_client.get(f"/llm?{ZOOM}")

    cards = {card.label: (card.value, visible(card.change_words)) for card in answer.context["cards"]}
    assert cards["Traces"] == (2, "50\xa0% less")
    assert "Against the 3 hours before" in answer.text


PAGES = [
    "",
    "/usage",
    "/latency",
    "/models",
    "/traces",
    "/prompts",
    "/scores",
    "/sessions",
    "/tools",
    "/rag",
    "/feedback",
]


@pytest.mark.parametrize("page", [*PAGES, "/search?q=word"])
def test_every_page_shows_the_hours_as_a_chip_and_its_links_keep_them(
    page: str, admin_client: Client, shop: NewProject
):
    make_around(shop)

    answer = admin_client.get(f"/llm{page}{'&' if '?' in page else '?'}hours=168&{ZOOM}")

    assert answer.status_code == 200
    chip = answer.context["zoom_chips"][0]
    assert answer.text.count("Remove filter </span><span>Hours") == 1
    assert "from" not in parse_qs(urlsplit(chip.remove_url).query)
    assert parse_qs(urlsplit(chip.remove_url).query)["hours"] == ["168"]
    assert not any(window.is_current for window in answer.context["windows"])
    tabs = re.search(r"data-section-pages>(.*?)</nav>", answer.text, re.DOTALL)
    links = re.findall(r'href="([^"]+)"', tabs[1]) if tabs else []
    assert len(links) >= 12
    assert all(f"from={FROM}&amp;to={TO}" in link for link in links)


def test_a_window_further_back_is_offered_when_nothing_is_found(admin_client: Client, shop: NewProject):
    answer = admin_client.get(f"/llm/search?q=nothing&{ZOOM}")

    assert "No trace of these 3 hours" in answer.text
    assert answer.context["wider"].label == "24 h"  # six hours would not reach back to them
    assert "from" not in answer.context["wider"].url


def test_hours_of_the_future_are_empty_and_no_error(admin_client: Client, shop: NewProject):
    make_around(shop)
    far = hour_of(10**17)

    for page in PAGES:
        assert admin_client.get(f"/llm{page}?from={far}&to={far + HOUR_MS}").status_code == 200
