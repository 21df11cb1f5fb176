"""The pages of Insights: what each shows, for which projects and hours, without scripts and while switched off."""

import csv
import re
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from analytics.dashboard import shell
from analytics.dashboard.spikes import levels_of
from analytics.methods import CLASSIC, SEASONAL, least_window_hours
from errors.models import Issue
from projects.services.projects import NewProject
from tests.analytics.test_api import change
from tests.analytics.told import HOUR, NOW, tell, tell_everything
from tests.factories import make_user

NBSP = "\N{NO-BREAK SPACE}"
PAGES = {
    "/insights": "Spikes",
    "/insights/movers": "Movers",
    "/insights/correlations": "Correlations",
    "/insights/releases": "Releases",
    "/insights/environments": "Environments",
}


@pytest.fixture(autouse=True)
def at_half_past(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "now_ms", lambda: NOW)


def html_of(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.content.decode()


def words_of(client: Client, path: str) -> str:
    """The page's words, tags left out, white space made one."""
    shown = re.sub(r"<script.*?</script>", " ", html_of(client, path), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", shown).replace(NBSP, " ").split())


def rows_of(client: Client, path: str) -> list[dict[str, str]]:
    """The download as rows."""
    answer = client.get(path)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="bloop-insights-')
    return list(csv.DictReader(StringIO(answer.content.decode())))


# --- The section ------------------------------------------------------------------------------------------------------


def test_the_insights_panel_has_five_sub_tabs(member_client: Client, shop: NewProject):
    """Seed: "The Insights panel has five sub-tabs"."""
    tell_everything(shop.project)
    for path, title in PAGES.items():
        page = html_of(member_client, path)
        assert f"<h1>{title}</h1>" in page
        assert re.findall(r'class="tabs__item" href="([^"?]+)', page) == list(PAGES)


def test_the_insights_button_is_hidden_while_insights_are_off(member_client: Client, settings: Any):
    """Seed: "an Insights button appears in the header … hidden" otherwise; its pages are not found then."""
    assert 'href="/insights"' in html_of(member_client, "/errors")

    change(settings, enabled=False)

    assert "/insights" not in html_of(member_client, "/errors")
    for path in PAGES:
        assert member_client.get(path).status_code == 404


def test_the_dashboard_shows_what_appendix_b_lists_for_insights(member_client: Client, shop: NewProject):
    """Appendix B: "spikes (bar by z; ≥3, ≥4 colours), movers, correlations, releases (score), environments table"."""
    tell_everything(shop.project)

    spikes = html_of(member_client, "/insights?method=classic&hours=24")
    assert 'class="insight-bar__extreme" width="' in spikes
    assert "Mild, from 2.5" in words_of(member_client, "/insights?method=classic&hours=24")
    assert "Gone" in words_of(member_client, "/insights/movers")
    assert "Twin" in words_of(member_client, "/insights/correlations?hours=24")
    assert "Bad" in words_of(member_client, "/insights/releases")
    assert "staging" in words_of(member_client, "/insights/environments?hours=24")


@pytest.mark.parametrize("path", PAGES)
def test_pages_respect_the_active_project_filter(path: str, shop: NewProject, other: NewProject):
    """Seed, Insights Panel: "All queries respect the active project filter"."""
    client = Client()
    client.force_login(make_user(projects=(shop.project, other.project)))
    tell_everything(shop.project)
    tell(other.project, "Foreign", {**dict.fromkeys(range(1, 24), 1), 0: 90}, environment="abroad", release="9.9.9")
    tell(other.project, "Companion", {**dict.fromkeys(range(1, 24), 1), 0: 80}, environment="abroad", release="9.9.9")

    foreign = {"/insights/releases": "9.9.9", "/insights/environments": "abroad"}.get(path, "Foreign")
    shown = html_of(client, f"{path}?hours=24&project=other", **{"HX-Request": "true"})
    hidden = html_of(client, f"{path}?hours=24&project=shop", **{"HX-Request": "true"})

    assert foreign in shown
    assert foreign not in hidden
    assert client.get(f"{path}?project=nobodys").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_htmx_gets_the_results_alone_and_back_a_whole_page(path: str, member_client: Client, shop: NewProject):
    tell_everything(shop.project)

    part = html_of(member_client, path, **{"HX-Request": "true"})
    back = html_of(member_client, path, **{"HX-Request": "true", "HX-History-Restore-Request": "true"})

    assert part.lstrip().startswith('<div class="flow" id="results"')
    assert "<html" in back
    assert "HX-Request" in member_client.get(path)["Vary"]


def test_the_windows_keep_the_environment_and_the_project(member_client: Client, shop: NewProject):
    tell_everything(shop.project)

    page = html_of(member_client, "/insights/movers?project=shop&environment=staging&hours=168&open=1")

    links = re.findall(r'class="windows__item" href="([^"]+)" data-window( aria-current="true")?', page)
    query = "project=shop&amp;environment=staging&amp;hours="
    assert links == [
        (f"?{query}{hours}", ' aria-current="true"' if hours == 168 else "") for hours in (24, 72, 168, 336, 720)
    ]
    assert 'aria-label="Remove filter Environment: staging"' in page
    assert 'href="?project=shop&amp;hours=168"' in page


def test_switching_the_project_keeps_the_window(member_client: Client, shop: NewProject):
    page = html_of(member_client, "/insights/movers?hours=168&open=4")

    assert 'href="/insights/movers?hours=168&amp;project=shop"' in page


@pytest.mark.parametrize("path", PAGES)
def test_hostile_addresses_are_pages_too(path: str, member_client: Client, shop: NewProject):
    tell_everything(shop.project)
    for query in (
        "hours=x&limit=-1&open=%3Cb%3E",
        "environment=%00%3Cscript%3E",
        f"environment={'e' * 5000}",
        "method=%FF",
    ):
        assert "<script>" not in html_of(member_client, f"{path}?{query}").split("<main")[1]


# --- Spikes -----------------------------------------------------------------------------------------------------------


def test_a_spike_leads_to_its_issue_and_says_how_far_it_stands_out(member_client: Client, shop: NewProject):
    tell(shop.project, "Burst", {**dict.fromkeys(range(1, 24), 1), 0: 30})

    words = words_of(member_client, "/insights?method=classic&hours=24")

    assert 'href="/errors/shop/Burst"' in html_of(member_client, "/insights?method=classic&hours=24")
    assert "4.7 Extreme" in words  # (30 - 53 / 24) / 5.92
    assert "30 events, mean 2.2" in words


@pytest.mark.parametrize(
    ("method", "threshold", "levels"),
    [
        (CLASSIC, 2.5, [("mild", 2.5), ("strong", 3.0), ("extreme", 4.0)]),
        (CLASSIC, 3.0, [("strong", 3.0), ("extreme", 4.0)]),
        (CLASSIC, 3.5, [("strong", 3.5), ("extreme", 4.0)]),
        (CLASSIC, 9.0, [("extreme", 9.0)]),
        (SEASONAL, 4.0, [("mild", 4.0), ("strong", 5.0), ("extreme", 7.0)]),
    ],
)
def test_spikes_are_dim_from_the_threshold_coral_from_3_and_red_from_4(
    method: str, threshold: float, levels: list[tuple[str, float]]
):
    assert [(level.name, level.since) for level in levels_of(method, threshold)] == levels


def test_what_is_usual_is_shown_unless_classic_is_asked_for(member_client: Client, shop: NewProject):
    tell(shop.project, "Busy", {hour: 9 if hour % 24 == 3 else 0 for hour in range(240)})  # every day at the same hour

    usual, classic = (
        words_of(member_client, "/insights?hours=24"),
        words_of(member_client, "/insights?hours=24&method=classic"),
    )

    assert "No hour stands out" in usual
    assert "4.7 Extreme" in classic  # 23 / sqrt 24
    assert 'aria-current="true">Usual for this hour' in html_of(member_client, "/insights?hours=24")


def test_the_numbers_of_a_spike_are_one_click_away(member_client: Client, shop: NewProject):
    tell(shop.project, "Burst", {**dict.fromkeys(range(1, 24), 1), 0: 30})
    issue = Issue.objects.get(fingerprint="Burst")
    page = html_of(member_client, "/insights?method=classic&hours=24")
    assert '<details class="numbers" open>' not in page

    (link,) = re.findall(r'id="open-[^"]+" href="([^"]+)"', page)
    opened = html_of(member_client, f"/insights{link.replace('&amp;', '&')}")

    assert link == f"?method=classic&amp;hours=24&amp;open={issue.pk}-{HOUR}"
    table = re.findall(r'<details class="numbers" open>.*?</table>', opened, flags=re.DOTALL)[0]
    counts = [int(count) for count in re.findall(r'<data class="number" value="(\d+)"', table)]
    assert counts == [30, *[1] * 23]
    assert "the spike in colour" in opened


def test_spikes_download_as_csv(member_client: Client, shop: NewProject):
    tell(shop.project, "=Burst", {**dict.fromkeys(range(1, 24), 1), 0: 30})

    (row,) = rows_of(member_client, "/insights?method=classic&hours=24&format=csv")

    assert (row["fingerprint"], row["events"], row["method"]) == ("'=Burst", "30", "classic")
    assert row["hour"] == "2025-10-09T08:00:00.000Z"
    assert float(row["score"]) == pytest.approx(4.694, abs=0.001)


# --- Movers -----------------------------------------------------------------------------------------------------------


def test_movers_say_their_change_with_arrow_and_words(member_client: Client, shop: NewProject):
    tell(shop.project, "More", {1: 12, 30: 4})
    tell(shop.project, "Less", {1: 1, 30: 2})
    tell(shop.project, "New", {1: 1})
    tell(shop.project, "Gone", {30: 3})
    tell(shop.project, "Far", {1: 100, 30: 1})

    found = member_client.get("/insights/movers?hours=24").context["rows"]

    assert {row.of.issue.fingerprint: (row.direction, row.words.replace(NBSP, " ")) for row in found} == {
        "Far": ("up", "100 times as much"),
        "More": ("up", "200 % more"),
        "Gone": ("down", "Gone"),
        "Less": ("down", "50 % less"),
        "New": ("up", "New here"),
    }
    assert 'href="/errors/shop/More"' in html_of(member_client, "/insights/movers?hours=24")


def test_the_numbers_of_a_mover_are_those_of_both_windows(member_client: Client, shop: NewProject):
    tell(shop.project, "More", {1: 12, 30: 4})
    issue = Issue.objects.get(fingerprint="More")

    (row,) = member_client.get(f"/insights/movers?hours=24&open={issue.pk}").context["rows"]

    assert (len(row.chart.starts_ms), row.chart.starts_ms[-1], row.chart.focus) == (48, HOUR, (24, 48))
    assert (row.chart.series[0].values[46], row.chart.series[0].values[17]) == (12, 4)


def test_more_rows_can_be_asked_for(member_client: Client, shop: NewProject):
    for number in range(21):
        tell(shop.project, f"e{number}", {1: 1})

    few, all_of_them = html_of(member_client, "/insights/movers"), html_of(member_client, "/insights/movers?limit=100")

    assert few.count("data-row-link") == 20
    assert 'href="?limit=100"' in few
    assert all_of_them.count("data-row-link") == 21
    assert "Show up to" not in all_of_them


# --- Correlations -----------------------------------------------------------------------------------------------------


def test_pairs_lead_to_both_issues_and_open_with_both_curves(member_client: Client, shop: NewProject):
    for name, times in (("Alpha", 1), ("Beta", 3)):
        tell(shop.project, name, {hour: times * (hour % 5) for hour in range(20)})
    ids = dict(Issue.objects.values_list("fingerprint", "pk"))

    page = html_of(member_client, "/insights/correlations?hours=24")
    opened = (
        member_client.get(f"/insights/correlations?hours=24&open={ids['Alpha']}-{ids['Beta']}").context["rows"][0].chart
    )

    assert 'href="/errors/shop/Alpha"' in page
    assert 'href="/errors/shop/Beta"' in page
    assert "1.00" in page
    assert page.count("<polyline") == 2
    assert [(series.label, sum(series.values)) for series in opened.series] == [("Alpha", 40), ("Beta", 120)]
    (row,) = rows_of(member_client, "/insights/correlations?hours=24&format=csv")
    assert (row["fingerprint_a"], row["fingerprint_b"], row["correlation"]) == ("Alpha", "Beta", "1.0")


# --- Releases ---------------------------------------------------------------------------------------------------------


def test_release_cards_are_coloured_by_their_impact_and_say_so(member_client: Client, shop: NewProject):
    tell(shop.project, "a", {90: 10}, release="1.0")
    tell(shop.project, "a", {80: 12}, release="1.1")  # 20 % more, nothing new: 20
    tell(shop.project, "a", {70: 6}, release="1.2")  # half: -50
    tell(shop.project, "a", {60: 12}, release="1.3")  # twice: 100
    tell(shop.project, "a", {50: 12}, release="1.4")

    cards = member_client.get("/insights/releases?project=shop").context["cards"]

    assert [(card.name, card.tone, card.word, card.delta_words) for card in cards] == [
        ("1.4", "plain", "No great change", "As many as the release before"),
        ("1.3", "bad", "Bad", "6 more than the release before"),
        ("1.2", "good", "Good", "6 fewer than the release before"),
        ("1.1", "plain", "No great change", "2 more than the release before"),
        ("1.0", "plain", "No great change", "The first release"),
    ]
    page = html_of(member_client, "/insights/releases?project=shop")
    assert 'class="card impact impact--bad"' in page
    assert 'href="/releases/shop?name=1.3"' in page
    assert [row["impact_score"] for row in rows_of(member_client, "/insights/releases?format=csv")] == [
        "0.0",
        "100.0",
        "-50.0",
        "20.0",
        "10.0",
    ]


# --- Environments -----------------------------------------------------------------------------------------------------


def test_environments_show_shares_and_percentiles_and_lead_to_their_issues(member_client: Client, shop: NewProject):
    tell(shop.project, "a", {1: 2, 2: 4})
    tell(shop.project, "a", {1: 2}, environment="staging")

    words = words_of(member_client, "/insights/environments?hours=24")
    page = html_of(member_client, "/insights/environments?hours=24&project=shop")

    assert "production 75 % 6 1 3 3.8 4" in words
    assert "staging 25 % 2 1 2 2 2" in words
    assert 'href="/errors?project=shop&amp;environment=staging&amp;status=all"' in page
    assert "8 in all" in words
    rows = rows_of(member_client, "/insights/environments?hours=24&format=csv")
    assert [(row["environment"], row["share_pct"]) for row in rows] == [("production", "75.0"), ("staging", "25.0")]


@pytest.mark.parametrize(("hours", "slots", "step"), [(24, 24, 1), (168, 168, 1), (720, 121, 6)])
def test_the_chart_of_environments_holds_every_event_of_the_window(
    hours: int, slots: int, step: int, member_client: Client, shop: NewProject
):
    tell(shop.project, "a", {0: 1, hours - 1: 2, hours: 50})
    for number in range(9):
        tell(shop.project, "a", {5: 1}, environment=f"env-{number}")

    chart = member_client.get(f"/insights/environments?hours={hours}").context["chart"]

    assert (len(chart.starts_ms), chart.step_ms, chart.total) == (slots, step * 3_600_000, 12)
    assert [series.label for series in chart.series][-1] == "Other"
    assert len(chart.series) == 8


def test_names_of_nothing_but_spaces_can_be_seen_and_pressed(member_client: Client, shop: NewProject):
    tell(shop.project, "  ", {1: 2}, fingerprint="blank", message=" ", environment=" ", release=" ")

    for page in ("/movers", "/environments", "/releases"):
        assert "<bdi>(blank)</bdi></" in html_of(member_client, f"/insights{page}"), page


# --- Nothing to show --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/insights/releases"])
def test_an_empty_window_says_what_would_be_here(path: str, member_client: Client, shop: NewProject):
    tell(shop.project, "Old", {700: 1}, environment="staging")

    assert "No events in the last 72 hours" in words_of(member_client, path)
    assert "stand" in words_of(member_client, path)
    filtered = words_of(member_client, f"{path}?environment=production&hours=24")
    assert "No event of the last 24 hours came from production" in filtered
    assert "Clear the filter" in filtered


def test_a_calm_window_says_why_there_is_nothing(member_client: Client, shop: NewProject):
    tell(shop.project, "Steady", dict.fromkeys(range(48), 2))

    assert "There were 48 events in the last 24 hours" in words_of(member_client, "/insights?hours=24")
    assert "No hour of an issue reached the least z" in words_of(member_client, "/insights?hours=24&method=classic")
    assert "In fewer than 9 hours no hour can reach the least score" in words_of(
        member_client, "/insights?hours=8&method=classic"
    )
    assert "Every issue happened as often as before" in words_of(member_client, "/insights/movers?hours=24")
    assert "no two of them rose and fell alike" in words_of(member_client, "/insights/correlations?hours=24")
    assert "fewer than 6 hours cannot hold them" in words_of(member_client, "/insights/correlations?hours=5")


def test_no_release_at_all_says_how_to_send_one(member_client: Client, shop: NewProject):
    tell(shop.project, "a", {1: 1}, release="")

    words = words_of(member_client, "/insights/releases")

    assert "No releases yet" in words
    assert "No event has named one yet." in words


@pytest.mark.parametrize("threshold", [0.1, 1.0, 2.5, 3.0, 4.0, 10.0])
def test_the_shortest_window_is_the_first_in_which_a_z_can_be_reached(threshold: float):
    def largest(hours: int) -> float:
        return float((hours - 1) / hours**0.5)

    hours = least_window_hours(threshold)

    assert largest(hours) >= threshold - 1e-9
    assert hours == 2 or largest(hours - 1) < threshold
