"""The tabs Overview, Usage, Latency and Models: figures worked out by hand, windows, filters, downloads."""

import csv
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from bloop_site.lib.clock import DAY_MS, HOUR_MS
from bloop_site.templatetags.charts import spark
from llmtraces.contract import Rules, parse_trace
from llmtraces.dashboard import shell
from llmtraces.models import LlmSettings
from llmtraces.queries.series import leading_models, models_over_time, slots_of, traces_over_time, usage_over_time
from llmtraces.queries.usage import overview
from llmtraces.queries.verify import differences
from llmtraces.queries.window import Window
from llmtraces.services.fold import record_traces
from projects.access import Reach
from projects.models import Project
from projects.services.projects import NewProject
from tests.factories import make_user

NBSP = "\N{NO-BREAK SPACE}"
HOUR = 1_760_000_000_000 - 1_760_000_000_000 % DAY_MS + 12 * HOUR_MS  # noon, UTC
NOW = HOUR + HOUR_MS // 2
ALL = Reach(None)


@pytest.fixture(autouse=True)
def at_half_past(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is 12:30 for the pages; what was folded adds up in the end."""
    monkeypatch.setattr(shell, "now_ms", lambda: NOW)
    yield
    assert differences() == []


def call(project: Project, name: str, *, at: int = HOUR, count: int = 1, **fields: Any) -> None:
    """`count` traces of one span each."""
    span = {
        "model": "gpt-4o",
        "provider": "openai",
        "latency_ms": 100,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost": 0.01,
    }
    entries = []
    for number in range(count):
        own = {"id": "s", "name": "chat", "span_type": "generation", "started_at": at, **span, **fields}
        raw = {"id": f"{name}-{number}", "started_at": at, "ended_at": at + 100, "spans": [own]}
        entries.append((project.pk, at, parse_trace(raw, rules=Rules("full", 100), now_ms=at)))
    record_traces(entries)


def text_of(client: Client, path: str) -> str:
    """The page's words, tags left out, white space made one."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    shown = re.sub(r"<script.*?</script>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", shown).replace(NBSP, " ").split())


def rows_of(client: Client, path: str) -> list[dict[str, str]]:
    """The download as rows."""
    answer = client.get(path)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="bloop-llm-')
    return list(csv.DictReader(StringIO(answer.content.decode())))


def cards_of(client: Client, path: str) -> dict[str, tuple[float, str]]:
    """Each card's figure and change in words."""
    found = client.get(path).context["cards"]
    return {card.label: (card.value, card.change_words.replace(NBSP, " ")) for card in found}


# --- Overview ---


def test_overview_shows_totals_and_the_change_against_the_window_before(admin_client: Client, shop: NewProject):
    """Seed: "Summary cards showing total traces, total spans, tokens consumed, cost in dollars, average latency, and
    error rate for the selected time window".

    One hour back from 12:30 is 11:00 to 12:30: three quarters of the two hours before, 9:00 to 11:00, are its measure.
    """
    call(shop.project, "now", count=6, latency_ms=300)
    call(shop.project, "bad", at=HOUR - HOUR_MS, count=2, status="error", latency_ms=100)
    call(shop.project, "before", at=HOUR - 2 * HOUR_MS, count=4, latency_ms=125)

    cards = cards_of(admin_client, "/llm?hours=1")

    assert cards["Traces"] == (8, "167 % more")  # against 4 × 0.75 = 3
    assert cards["Spans"] == (8, "167 % more")
    assert cards["Tokens"] == (120, "167 % more")
    assert cards["Cost"] == (80_000, "167 % more")
    assert cards["Average latency"] == (250.0, "100 % more")  # (6 × 300 + 2 × 100) / 8, against 125
    assert cards["Error rate"] == (25.0, "none before")
    words = text_of(admin_client, "/llm?hours=1")
    for figure in ("Traces 8", "Tokens 120", "Cost $0.08", "Average latency 250 ms", "Error rate 25 %"):
        assert figure in words


def test_fewer_is_told_as_less_and_the_same_as_before(admin_client: Client, shop: NewProject):
    call(shop.project, "now", count=3)
    call(shop.project, "before", at=HOUR - 2 * HOUR_MS, count=8)

    cards = cards_of(admin_client, "/llm?hours=1")

    assert cards["Traces"] == (3, "50 % less")  # against 8 × 0.75 = 6
    assert cards["Average latency"] == (100.0, "as before")


def test_a_figure_is_only_compared_with_what_there_was(admin_client: Client, shop: NewProject):
    free: dict[str, Any] = {"model": "our-own-7b", "cost": 0}
    call(shop.project, "now", status="error", **free)

    alone = {label: words for label, (_, words) in cards_of(admin_client, "/llm?hours=1").items()}
    assert set(alone.values()) == {"none before"}
    assert {card.tone for card in admin_client.get("/llm?hours=1").context["cards"]} == {"plain"}

    call(shop.project, "before", at=HOUR - 2 * HOUR_MS, count=2, **free)
    cards = {card.label: card for card in admin_client.get("/llm?hours=1").context["cards"]}

    assert (cards["Error rate"].change_words, cards["Error rate"].tone) == ("none before", "bad")
    assert (cards["Cost"].change_words, cards["Cost"].tone) == ("as before", "plain"), "nothing, and nothing before"
    assert cards["Average latency"].change_words == "as before"


def test_an_average_of_no_calls_is_none_and_no_progress(admin_client: Client, shop: NewProject):
    call(shop.project, "now")
    call(shop.project, "before", at=HOUR - 2 * HOUR_MS, model="o3", provider="openai", status="error")

    cards = {card.label: card for card in admin_client.get("/llm?hours=1&model=o3").context["cards"]}

    assert (cards["Spans"].value, cards["Spans"].change_words) == (0, "100\xa0% less")
    for label in ("Average latency", "Error rate"):
        assert (cards[label].value, cards[label].change_words, cards[label].tone) == (None, "", "plain")


def test_traces_say_that_a_model_does_not_narrow_them(admin_client: Client, shop: NewProject):
    call(shop.project, "a")
    call(shop.project, "b", model="o3")

    assert "Traces of all models 2" in text_of(admin_client, "/llm?model=o3")
    assert "of all models" not in text_of(admin_client, "/llm")


def test_a_sparkline_shows_what_is_less_than_one(admin_client: Client, shop: NewProject):
    call(shop.project, "fine", count=299)
    call(shop.project, "bad", status="error")

    cards = admin_client.get("/llm?hours=1").context["cards"]

    assert [card.slots[-1] for card in cards if card.label == "Error rate"] == [0.33]
    assert "spark__some" in spark(cards[-1].slots)


def test_a_chart_names_no_model_it_shows_nothing_of(admin_client: Client, shop: NewProject):
    call(shop.project, "a", cost=0.5)
    call(shop.project, "b", model=None, provider=None, cost=0)

    cost, _ = admin_client.get("/llm?hours=6").context["charts"]

    assert [each.label for each in cost.series] == ["gpt-4o"]


def test_no_hour_lies_in_two_windows(shop: NewProject):
    call(shop.project, "a", at=HOUR - HOUR_MS)
    call(shop.project, "b", at=HOUR - 2 * HOUR_MS)
    window = Window(ALL, 1, NOW)

    assert (overview(window).total_traces, overview(window.before()).total_traces) == (1, 1)
    assert window.elapsed == 0.75


def test_overview_names_the_dearest_models_with_their_share(admin_client: Client, shop: NewProject):
    call(shop.project, "dear", model="o3", cost=0.03)
    call(shop.project, "cheap", model="mini", cost=0.01)

    top = admin_client.get("/llm?hours=6").context["top"]

    assert [(each.row.model, each.tone, each.share) for each in top] == [("o3", 1, 0.75), ("mini", 2, 0.25)]


def test_overview_shows_the_budget_of_a_chosen_project_and_its_forecast(admin_client: Client, shop: NewProject):
    LlmSettings.objects.create(project=shop.project, monthly_budget_micros=1_000_000)
    call(shop.project, "spent", cost=0.5)

    words = text_of(admin_client, "/llm?project=shop")

    # 9 October 2025: 0.50 in 9 of 31 days comes to 1.722222.
    assert "$0.50 of $1.00 50 % used" in words
    assert "At this pace the month ends at $1.72 $1.722222 , more than the budget. Alert from 80 %." in words


def test_overview_shows_the_budgets_of_all_projects_together(admin_client: Client, shop: NewProject, other: NewProject):
    """Nobody has chosen a project when the section opens; a team of one project never need."""
    assert "Budget" not in text_of(admin_client, "/llm")
    LlmSettings.objects.create(project=shop.project, monthly_budget_micros=1_000_000)
    call(shop.project, "spent", cost=0.5)
    call(other.project, "unbudgeted", cost=7)

    words = text_of(admin_client, "/llm")

    assert "Budgets of all projects this month 22 days left $0.50 of $1.00 50 % used" in words
    assert "At this pace the month ends at $1.72 $1.722222 , more than the budget. Projects without a budget" in words
    assert "Alert from" not in words, "each project has its own"


def test_overview_downloads_its_slots_with_money_in_micros_and_dollars(admin_client: Client, shop: NewProject):
    call(shop.project, "a", count=2)

    rows = rows_of(admin_client, "/llm?hours=1&format=csv")

    assert [(row["from"], row["traces"], row["cost_micros"], row["cost_dollars"]) for row in rows] == [
        ("2025-10-09T11:00:00.000Z", "0", "0", "0.000000"),
        ("2025-10-09T12:00:00.000Z", "2", "20000", "0.020000"),
    ]


# --- Usage ---


def test_usage_lists_hours_and_models_newest_first(admin_client: Client, shop: NewProject):
    """Seed: "Hourly breakdown of token consumption and cost, grouped by model. Each row shows the hour bucket, model
    name, request count, input/output tokens, and total cost".
    """
    call(shop.project, "a", count=2, input_tokens=1_000, output_tokens=200)
    call(shop.project, "b", at=HOUR - HOUR_MS, model="claude", provider="anthropic", cost=0.5)

    words = text_of(admin_client, "/llm/usage?hours=6")

    assert "Hour from Model Requests Input tokens Output tokens Cost" in words
    first = words.index("9 Oct 2025, 12:00:00 UTC gpt-4o openai 2 2,000 400 $0.02")
    assert first < words.index("9 Oct 2025, 11:00:00 UTC claude anthropic 1 10 5 $0.50")


def test_usage_is_paged_and_the_filters_keep_all_but_the_page(admin_client: Client, shop: NewProject):
    for number in range(51):
        call(shop.project, f"m{number}", model=f"model-{number:02}")

    second = admin_client.get("/llm/usage?hours=6&show=cost&page=2")

    assert (second.context["page"].number, second.context["page"].total, len(second.context["rows"])) == (2, 51, 1)
    assert second.context["kept"] == [("hours", "6"), ("show", "cost")]
    assert "Other" in {each.label for each in second.context["chart"].series}


def test_usage_is_drawn_by_tokens_or_by_cost(admin_client: Client, shop: NewProject):
    call(shop.project, "a", cost=0.25)

    tokens = admin_client.get("/llm/usage?hours=6").context["chart"]
    cost = admin_client.get("/llm/usage?hours=6&show=cost").context["chart"]

    assert (tokens.unit, tokens.total, cost.unit, cost.total) == ("count", 15, "money", 250_000)
    assert cost.series[0].values == (0, 0, 0, 0, 0, 0, 250_000)


def test_usage_downloads_every_row_and_no_formula(admin_client: Client, shop: NewProject):
    call(shop.project, "a", model='=HYPERLINK("http://evil")', provider="@sum", cost=0.0025)

    (row,) = rows_of(admin_client, "/llm/usage?hours=6&format=csv")

    assert (row["model"], row["provider"]) == ('\'=HYPERLINK("http://evil")', "'@sum")
    assert (row["hour"], row["cost_micros"], row["cost_dollars"]) == ("2025-10-09T12:00:00.000Z", "2500", "0.002500")


# --- Latency ---


def test_latency_shows_percentiles_and_the_first_token_by_model(admin_client: Client, shop: NewProject):
    """Seed: "Latency percentiles (p50, p90, p99) by model, plus average time-to-first-token. Useful for identifying
    slow models or degraded performance".
    """
    for ms in range(100, 1_100, 100):
        call(shop.project, f"slow{ms}", model="slow", latency_ms=ms, time_to_first_token_ms=ms // 10)
    call(shop.project, "fast", model="fast", latency_ms=40)

    page = admin_client.get("/llm/latency?hours=6")
    slow, fast = page.context["rows"]

    assert slow.latency.model == "slow"
    assert slow.latency.p50_ms == pytest.approx(550, rel=0.01)
    assert slow.latency.p90_ms == pytest.approx(910, rel=0.01)
    assert slow.latency.p99_ms == pytest.approx(991, rel=0.01)
    assert slow.latency.avg_ttft_ms == 55.0
    assert slow.p90_ttft_ms == pytest.approx(91, rel=0.01)
    assert (fast.latency.span_count, fast.ttft_count, fast.p90_ttft_ms) == (1, 0, None)
    times, spread = page.context["charts"]
    assert times.series[0].values[:-1] == (0,) * 6
    assert (spread.total, spread.series[0].values[0]) == (11, 1)


def test_latency_downloads_milliseconds_and_leaves_out_what_nobody_told(admin_client: Client, shop: NewProject):
    call(shop.project, "fast", model="fast", latency_ms=0)

    (row,) = rows_of(admin_client, "/llm/latency?hours=6&format=csv")

    assert (row["model"], row["calls"], row["p99_ms"], row["average_ttft_ms"]) == ("fast", "1", "0.0", "")


# --- Models ---


def test_models_are_compared_the_dearest_first(admin_client: Client, shop: NewProject):
    """Seed: "Per-model comparison table: total calls, tokens consumed, cost, average latency, and error rate. Sorted
    by cost to quickly identify the most expensive models".
    """
    call(shop.project, "a", model="gpt-4o", count=3, cost=0.01, latency_ms=200)
    call(shop.project, "b", model="o3-mini", count=2, cost=0.5)
    call(shop.project, "c", model="o3-mini", cost=0.5, status="error", latency_ms=400)

    words = text_of(admin_client, "/llm/models?hours=6")

    dearest = words.index("o3-mini openai 3 45 $1.50 200 ms 33.33 %")
    assert dearest < words.index("gpt-4o openai 3 45 $0.03 200 ms 0 % in $2.50 / out $10.00")


def test_models_without_a_price_are_listed_with_their_spans(admin_client: Client, shop: NewProject):
    call(shop.project, "a", model="our-own-7b", provider="", count=4, cost=None)

    words = text_of(admin_client, "/llm/models?hours=6&project=shop")
    (row,) = rows_of(admin_client, "/llm/models?hours=6&format=csv")

    assert "our-own-7b 4 unpriced spans" in words
    assert (row["unpriced_calls"], row["input_dollars_per_million"], row["price_source"]) == ("4", "", "")


def test_a_price_is_set_in_place_and_leads_back(admin_client: Client, shop: NewProject):
    call(shop.project, "a", model="our-own-7b", provider="", cost=None)
    here = "/llm/models?hours=6&project=shop"
    page = admin_client.get(here).content.decode()
    assert "Set a price for our-own-7b" in page
    assert "Set a price for our-own-7b" not in admin_client.get("/llm/models?hours=6").content.decode()

    form = {"project": "shop", "model": "our-own-7b", "provider": "", "input": "0.5", "output": "2", "next": here}
    answer = admin_client.post("/llm/price", form)

    assert answer["Location"] == here
    words = text_of(admin_client, here)
    assert "in $0.50 / out $2.00 set" in words
    assert "our-own-7b 1 unpriced span from before its price was known Recalculate" in words


def test_any_model_can_be_priced_in_place(admin_client: Client, shop: NewProject):
    """Issue: "Models: comparison table sorted by cost, prices per million shown, override in place"."""
    call(shop.project, "a", model="priced-by-its-client", cost=0.5)
    call(shop.project, "b", model="gpt-4o", cost=0.25)

    page = admin_client.get("/llm/models?hours=6&project=shop").content.decode()

    assert "Set a price for priced-by-its-client" in page
    assert "Change the price of gpt-4o" in page


def test_who_may_not_change_a_project_is_offered_no_price(client: Client, shop: NewProject):
    client.force_login(make_user(projects=(shop.project,)))
    call(shop.project, "a", model="our-own-7b", cost=None)

    page = client.get("/llm/models?hours=6&project=shop").content.decode()

    assert "unpriced span" in page
    assert "/llm/price" not in page


# --- All four ---

TABS = ("/llm", "/llm/usage", "/llm/latency", "/llm/models")


def test_of_thousands_of_models_the_busiest_can_be_chosen(admin_client: Client, shop: NewProject):
    spans = [{"id": f"s{n}", "model": f"model-{n:03}", "provider": f"p-{n:03}", "cost": 0.1} for n in range(100)]
    for number in range(4):
        own = [{**span, "model": f"{number}-{span['model']}", "started_at": HOUR} for span in spans]
        raw = {"id": f"t{number}", "started_at": HOUR, "spans": own}
        record_traces([(shop.project.pk, HOUR, parse_trace(raw, rules=Rules("full", 100), now_ms=HOUR))])
    call(shop.project, "busy", count=2, model="z-the-busiest", provider="z")

    names = set(re.findall(r'<option value="([^"]+)"', admin_client.get("/llm?model=3-model-099").content.decode()))

    models = {name for name in names if "model-" in name or name == "z-the-busiest"}
    assert len(models) == 300 + 1, "300 pairs, and the chosen one"
    assert {"z-the-busiest", "z", "3-model-099"} <= names


@pytest.mark.parametrize("path", TABS)
def test_an_empty_window_says_what_would_be_here(path, admin_client: Client, shop: NewProject):
    call(shop.project, "old", at=HOUR - 3 * DAY_MS)

    assert "in the last 24 hours" in text_of(admin_client, path)
    assert "in the last 24 hours" not in text_of(admin_client, f"{path}?hours=168")


@pytest.mark.parametrize("path", TABS)
def test_a_filter_that_fits_nothing_is_a_chip_and_can_be_cleared(path, admin_client: Client, shop: NewProject):
    call(shop.project, "a")

    page = admin_client.get(f"{path}?model=nope&hours=6&page=2")

    chips = [(chip.label, chip.value, chip.remove_url) for chip in page.context["chips"]]
    assert chips == [("Model", "nope", "?hours=6")]
    if path != "/llm":  # traces have no model, so the Overview still has them
        assert "Nothing matches" in page.content.decode()


@pytest.mark.parametrize("path", TABS)
def test_model_and_provider_narrow_the_figures(path, admin_client: Client, shop: NewProject):
    call(shop.project, "a", model="gpt-4o", provider="openai")
    call(shop.project, "b", model="claude", provider="anthropic")

    rows = rows_of(admin_client, f"{path}?provider=anthropic&format=csv&hours=1")

    if path == "/llm":
        assert [row["spans"] for row in rows] == ["0", "1"]
    else:
        assert [row["model"] for row in rows] == ["claude"]


@pytest.mark.parametrize("path", TABS)
def test_htmx_gets_the_results_alone(path, admin_client: Client, shop: NewProject):
    call(shop.project, "a")

    part = admin_client.get(path, headers={"HX-Request": "true"}).content.decode()

    assert part.strip().startswith('<div class="flow" id="results"')
    assert "<html" not in part


@pytest.mark.parametrize("path", TABS)
def test_a_switched_off_section_is_absent(path, admin_client: Client, settings: Any):
    assert 'href="/llm"' in admin_client.get("/errors").content.decode()
    off = settings.BLOOP.llm_tracing.__class__(**{**vars(settings.BLOOP.llm_tracing), "enabled": False})
    settings.BLOOP = settings.BLOOP.__class__(**{**vars(settings.BLOOP), "llm_tracing": off})

    assert admin_client.get(path).status_code == 404
    assert 'href="/llm"' not in admin_client.get("/errors").content.decode()


@pytest.mark.parametrize("path", TABS)
def test_hostile_names_are_text(path, admin_client: Client, shop: NewProject):
    call(shop.project, "a", model="</script><script>alert(1)</script>", provider='"><img src=x>')

    page = admin_client.get(f"{path}?hours=6").content.decode()

    assert "<script>alert" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("hours", "step_ms", "most"), [(1, HOUR_MS, 2), (24, HOUR_MS, 25), (168, 6 * HOUR_MS, 29), (720, DAY_MS, 31)]
)
def test_slots_hold_the_whole_window(hours, step_ms, most, shop: NewProject):
    window = Window(ALL, hours, NOW)
    call(shop.project, "first", at=window.since_ms)
    call(shop.project, "last", at=HOUR)
    call(shop.project, "outside", at=window.since_ms - 1)

    slots = slots_of(window)

    assert (slots.step_ms, len(slots.starts_ms)) == (step_ms, most)
    assert sum(traces_over_time(window)) == 2
    assert [each.span_count for each in usage_over_time(window)] == traces_over_time(window)


def test_a_model_keeps_its_colour_whichever_is_chosen(shop: NewProject):
    for rank in range(9):
        call(shop.project, f"m{rank}", model=f"m{rank}", cost=0.9 - rank / 10)

    everything, one = Window(ALL, 6, NOW), Window(ALL, 6, NOW, model="m3")
    leading = leading_models(one)

    assert leading == leading_models(everything) == [f"m{rank}" for rank in range(7)]
    assert list(models_over_time(one, leading=leading)) == ["m3"]
    assert sum(each.span_count for each in models_over_time(everything, leading=leading)[""]) == 2
