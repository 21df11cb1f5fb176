"""The pages of errors: the list and its filters, one issue, its status, and whatever clients may have sent."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.test import Client

from accounts.models import User
from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms
from errors.models import Event, Issue
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, record
from tests.wsgi import ask

HTMX = {"HX-Request": "true"}
NOON = hour_of(now_ms()) - 6 * HOUR_MS


def listed(answer: Any) -> list[str]:
    """The error types on the list, from top to bottom."""
    return [row.error_type for row in answer.context["rows"]]


def squeezed(html: str) -> str:
    """The page without CSRF tokens and spacing, which differ from request to request."""
    return re.sub(r"\s+", " ", re.sub(r'value="[A-Za-z0-9]{64}"|"X-CSRFToken": "\w+"', "", html))


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


# --- The list ---------------------------------------------------------------------------------------------------


def test_the_list_shows_unresolved_issues_newest_first_by_default(client: Client, shop: NewProject):
    for name, at in (("A", 1), ("B", 3), ("C", 2), ("D", 9)):
        make_issue(shop.project, error_type=name, fingerprint=name, received_ms=NOON + at)
    Issue.objects.filter(fingerprint="D").update(status="resolved")

    answer = client.get("/errors")

    assert listed(answer) == ["B", "C", "A"]
    assert answer.context["chips"] == []
    assert b">D<" not in answer.content


@pytest.mark.parametrize(
    ("query", "found", "labels"),
    [
        ("status=resolved", ["B"], ["Status"]),
        ("status=all", ["C", "B", "A"], ["Status"]),
        ("status=muted", [], ["Status"]),
        ("status=nonsense", ["C", "A"], []),
        ("release=1.0", ["A"], ["Release"]),
        ("environment=staging", ["C"], ["Environment"]),
        ("source=ios", ["C"], ["Source"]),
        ("route=/pay", ["C"], ["Route"]),
        ("q=timeout", ["A"], ["Text"]),
        ("q=TIMEOUT&release=1.0", ["A"], ["Release", "Text"]),
        ("status=all&sort=total_count", ["B", "C", "A"], ["Status"]),
        ("status=all&sort=first_seen", ["C", "B", "A"], ["Status"]),
        ("sort=password", ["C", "A"], []),
        ("release=" + "x" * 300, ["C", "A"], []),
        ("nonsense=1&status=", ["C", "A"], []),
    ],
)
def test_filters_stand_in_the_query_and_each_has_a_chip(
    query: str, found: list[str], labels: list[str], client: Client, shop: NewProject
):
    a = {"release": "1.0", "environment": "production", "source": "api", "message": "Timeout"}
    c = {"release": "2.0", "environment": "staging", "source": "ios", "message": "x", "route_or_procedure": "/pay"}
    record(shop.project, event_json(error_type="A", fingerprint="A", **a), received_ms=NOON)
    for at in (1, 2):
        record(shop.project, event_json(error_type="B", fingerprint="B", release="3.0"), received_ms=NOON + at)
    record(shop.project, event_json(error_type="C", fingerprint="C", **c), received_ms=NOON + 5)
    Issue.objects.filter(fingerprint="B").update(status="resolved")

    answer = client.get(f"/errors?{query}")

    assert answer.status_code == 200
    assert listed(answer) == found
    assert [chip.label for chip in answer.context["chips"]] == labels


def test_a_chips_address_takes_off_its_filter_alone_and_the_page(client: Client, shop: NewProject):
    make_issue(shop.project)

    answer = client.get("/errors?project=shop&status=all&release=1.4.0&q=Cannot&sort=first_seen&page=2")

    chips = {chip.label: parse_qs(urlsplit(chip.remove_url).query) for chip in answer.context["chips"]}
    rest = {"project": ["shop"], "status": ["all"], "release": ["1.4.0"], "q": ["Cannot"], "sort": ["first_seen"]}
    assert chips == {
        "Status": {key: value for key, value in rest.items() if key != "status"},
        "Release": {key: value for key, value in rest.items() if key != "release"},
        "Text": {key: value for key, value in rest.items() if key != "q"},
    }
    assert parse_qs(urlsplit(answer.context["clear_url"]).query) == {"project": ["shop"]}


def test_the_form_shows_what_is_filtered(client: Client, shop: NewProject):
    make_issue(shop.project)

    html = client.get("/errors?release=1.4.0&q=Cannot").content.decode()

    assert re.search(r'<input[^>]*name="release"[^>]*value="1.4.0"|value="1.4.0"[^>]*name="release"', html)
    assert re.search(r'<input[^>]*name="q"[^>]*value="Cannot"', html)


@pytest.mark.parametrize(
    ("page", "first", "last"),
    [("", 1, 25), ("1", 1, 25), ("2", 26, 50), ("99", 51, 60), ("0", 1, 25), ("-1", 1, 25), ("x", 1, 25), ("²", 1, 25)],
)
def test_the_list_is_paged_by_twenty_five_and_a_page_that_is_not_there_is_the_nearest(
    page: str, first: int, last: int, client: Client, shop: NewProject
):
    record(shop.project, *(event_json(fingerprint=f"f{number}") for number in range(60)))

    answer = client.get(f"/errors?q=Cannot&page={page}")

    shown = answer.context["page"]
    assert (shown.first, shown.last, shown.total, shown.pages) == (first, last, 60, 3)
    assert len(answer.context["rows"]) == last - first + 1
    neighbour = shown.next_url if first == 1 else shown.previous_url
    assert parse_qs(urlsplit(neighbour).query) == {"q": ["Cannot"], "page": ["2" if first in (1, 51) else "1"]}


def test_pages_together_show_every_issue_once(client: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"f{number}") for number in range(60)), received_ms=NOON)

    shown = [row.fingerprint for page in (1, 2, 3) for row in client.get(f"/errors?page={page}").context["rows"]]

    assert sorted(shown) == sorted(f"f{number}" for number in range(60))


def test_the_project_in_the_query_narrows_list_figures_and_chart(
    admin_client: Client, shop: NewProject, other: NewProject
):
    make_issue(shop.project, error_type="InShop")
    make_issue(other.project, error_type="InOther")

    everything, one = admin_client.get("/errors"), admin_client.get("/errors?project=other")

    assert sorted(listed(everything)) == ["InOther", "InShop"]
    assert listed(one) == ["InOther"]
    assert (everything.context["stats"].total_errors, one.context["stats"].total_errors) == (2, 1)
    assert (everything.context["trend"].total, one.context["trend"].total) == (2, 1)
    assert one.context["stats_url"] == "/errors/stats?project=other"
    assert (everything.context["show_project"], one.context["show_project"]) == (True, False)


def test_the_menu_switches_projects_and_keeps_filters(admin_client: Client, shop: NewProject, other: NewProject):
    make_issue(shop.project)

    html = admin_client.get("/errors?project=shop&q=Cannot&page=2").content.decode()

    links = {
        unescape(href): parse_qs(urlsplit(unescape(href)).query)
        for href in re.findall(r'href="(/errors\?[^"]*)"', html)
    }
    assert {"q": ["Cannot"], "project": ["other"]} in links.values()
    assert {"q": ["Cannot"]} in links.values()


@pytest.mark.parametrize("slug", ["other", "nonexistent", "shop%20"])
@pytest.mark.parametrize("path", ["/errors", "/errors/stats"])
def test_a_foreign_project_is_not_found(path: str, slug: str, client: Client, other: NewProject):
    answer = client.get(f"{path}?project={slug}")

    assert answer.status_code == 404
    assert b"Other" not in answer.content


def test_a_member_sees_the_issues_of_their_projects_only(client: Client, shop: NewProject, other: NewProject):
    make_issue(shop.project, error_type="InShop")
    make_issue(other.project, error_type="InOther")

    answer = client.get("/errors")

    assert listed(answer) == ["InShop"]
    assert b"InOther" not in answer.content
    assert [item.slug for item in answer.context["frame"].projects] == ["", "shop"]


def test_before_the_first_event_the_page_tells_how_to_send_one(client: Client):
    html = client.get("/errors").content.decode()

    assert "Send the first error" in html
    assert "http://localhost:5332/v1/ingest" in html


def test_a_filter_that_matches_nothing_offers_to_be_cleared(client: Client, shop: NewProject):
    make_issue(shop.project)

    html = client.get("/errors?q=nothing").content.decode()

    assert "No issue matches" in html
    assert 'href="?"' in html


def test_when_all_is_resolved_the_page_says_so(client: Client, shop: NewProject):
    make_issue(shop.project)
    Issue.objects.update(status="resolved")

    html = client.get("/errors").content.decode()

    assert "Nothing to do" in html
    assert "Send the first error" not in html


def test_htmx_gets_the_part_of_the_page_that_it_swaps(client: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint=f"f{number}", error_type=f"E{number}") for number in range(55)))

    for query in ("", "?page=2", "?q=nothing", "?release=1.4.0"):
        whole = client.get(f"/errors{query}").content.decode()
        part = client.get(f"/errors{query}", headers=HTMX).content.decode()
        assert "<html" not in part
        assert 'id="results"' in part
        assert squeezed(part).strip() in squeezed(whole)


def test_the_answer_says_that_it_depends_on_who_asks(client: Client, shop: NewProject):
    make_issue(shop.project)

    for headers in ({}, HTMX):
        vary = client.get("/errors", headers=headers).headers["Vary"]
        assert {"HX-Request", "Cookie"} <= {name.strip() for name in vary.split(",")}


def test_the_back_button_gets_a_whole_page(client: Client, shop: NewProject):
    make_issue(shop.project)

    answer = client.get("/errors", headers={**HTMX, "HX-History-Restore-Request": "true"})

    assert b"<html" in answer.content


def test_the_stats_bar_alone_is_the_stats_bar_of_the_page(client: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="a"), event_json(fingerprint="a"), event_json(fingerprint="b"))
    Issue.objects.filter(fingerprint="b").update(status="muted")

    part = client.get("/errors/stats?project=shop", headers=HTMX).content.decode()
    page = client.get("/errors?project=shop")

    stats = page.context["stats"]
    assert (stats.total_errors, stats.unresolved_errors, stats.events_24h) == (2, 1, 3)
    assert 'hx-get="/errors/stats?project=shop"' in part
    assert squeezed(part).strip() in squeezed(page.content.decode())


def test_the_chart_covers_72_hours_and_follows_environment_and_source(client: Client, shop: NewProject):
    record(shop.project, event_json(environment="staging"), event_json(), event_json(source="ios"))
    record(shop.project, event_json(), received_ms=now_ms() - 80 * HOUR_MS)

    trend = client.get("/errors").context["trend_data"]
    staging = client.get("/errors?environment=staging").context["trend_data"]

    assert (len(trend["hours"]), len(trend["counts"]), sum(trend["counts"])) == (72, 72, 3)
    assert sum(staging["counts"]) == 1


# --- One issue --------------------------------------------------------------------------------------------------


def test_the_detail_shows_where_when_and_what(client: Client, shop: NewProject):
    for release in ("1.0", "1.1", "1.1"):
        record(
            shop.project, event_json(fingerprint="fp", release=release, stack="at f (a.js:1)", metadata={"k": "välue"})
        )

    answer = client.get("/errors/shop/fp")
    html = answer.content.decode()

    assert [(row.release, row.count, round(row.share, 2)) for row in answer.context["aggregates"]] == [
        ("1.1", 2, 0.67),
        ("1.0", 1, 0.33),
    ]
    assert "at f (a.js:1)" in html
    assert "välue" in unescape(html)
    assert [mark["label"] for mark in answer.context["trend_data"]["releases"]] == ["1.0", "1.1"]
    assert [entry.kind for entry in answer.context["timeline"]] == ["release", "first_seen"]
    assert answer.context["back_url"] == "/errors?project=shop"


def test_a_release_that_came_in_the_same_batch_as_the_first_is_told_too(client: Client, shop: NewProject):
    record(shop.project, *(event_json(fingerprint="fp", release=release) for release in ("1.0", "1.1")))

    timeline = client.get("/errors/shop/fp").context["timeline"]

    assert [(entry.kind, entry.release) for entry in timeline] == [("release", "1.1"), ("first_seen", "")]


def test_an_issue_whose_events_are_gone_still_has_a_page(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    Event.objects.all().delete()

    answer = client.get("/errors/shop/fp")

    assert answer.status_code == 200
    assert "No event is kept any more" in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["/errors/shop/unknown", "/errors/other/fp", "/errors/nonexistent/fp", "/errors/shop/"]
)
def test_what_is_not_there_and_what_is_not_yours_are_both_not_found(path: str, client: Client, other: NewProject):
    make_issue(other.project, fingerprint="fp")

    assert client.get(path).status_code == 404


def test_the_timeline_tells_who_did_what(client: Client, member: User, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    client.post("/errors/shop/fp/status", {"status": "resolved"})
    record(shop.project, event_json(fingerprint="fp", release="2.0"))

    timeline = client.get("/errors/shop/fp").context["timeline"]

    assert sorted((entry.kind, entry.actor, entry.release) for entry in timeline) == [
        ("first_seen", "", ""),
        ("regression", "", "2.0"),
        ("release", "", "2.0"),
        ("status", "mia", ""),
    ]


# --- Changing the status ----------------------------------------------------------------------------------------


def test_a_plain_form_changes_the_status_and_leads_back_with_a_word(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    answer = client.post("/errors/shop/fp/status", {"status": "resolved"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/errors/shop/fp")
    assert Issue.objects.get().status == "resolved"
    assert "Resolved" in client.get("/errors/shop/fp").content.decode()


def test_htmx_gets_the_panel_and_a_toast_that_can_undo(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    answer = client.post("/errors/shop/fp/status", {"status": "muted"}, headers=HTMX)
    html = answer.content.decode()

    assert answer.status_code == 200
    assert 'id="status-panel"' in html
    assert "<html" not in html
    assert squeezed(html).strip() in squeezed(client.get("/errors/shop/fp").content.decode())
    assert 'value="unresolved"' in html
    assert 'value="muted"' not in html
    transition = Issue.objects.get().transitions.get()
    assert json.loads(answer.headers["HX-Trigger"]) == {
        "toast": {"message": "Muted", "undo": {"url": "/errors/shop/fp/undo", "transition": str(transition.pk)}}
    }


@pytest.mark.parametrize("status", ["", "open", "RESOLVED", "a\x00b"])
def test_a_status_nobody_knows_changes_nothing(status: str, client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    answer = client.post("/errors/shop/fp/status", {"status": status})

    assert answer.status_code == 404
    assert not Issue.objects.get().transitions.exists()


def test_a_foreign_issue_cannot_be_changed(client: Client, other: NewProject):
    make_issue(other.project, fingerprint="fp")

    answer = client.post("/errors/other/fp/status", {"status": "resolved"})

    assert answer.status_code == 404
    assert Issue.objects.get().status == "unresolved"


def test_a_form_without_its_token_is_refused(member: User, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member)

    refused = strict.post("/errors/shop/fp/status", {"status": "resolved"})
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', strict.get("/errors/shop/fp").content.decode())
    assert token
    fields = {"status": "resolved", "csrfmiddlewaretoken": token.group(1)}
    taken = strict.post("/errors/shop/fp/status", fields)

    assert (refused.status_code, taken.status_code) == (403, 302)


def test_the_htmx_header_carries_the_token_as_well(member: User, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member)
    html = strict.get("/errors").content.decode()
    headers = json.loads(unescape(re.search(r"hx-headers='([^']+)'", html).group(1)))  # type: ignore[union-attr]

    answer = strict.post("/errors/shop/fp/status", {"status": "resolved"}, headers={**HTMX, **headers})

    assert answer.status_code == 200


# --- Whatever was sent ------------------------------------------------------------------------------------------

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_hostile_text_is_text_everywhere(client: Client, shop: NewProject):
    names = ("error_type", "message", "release", "environment", "route_or_procedure", "screen", "app_version")
    more = ("build_number", "request_id", "user_id_hash", "device_id_hash", "event_id")
    fields: dict[str, Any] = dict.fromkeys((*names, *more), HOSTILE)
    fields |= {"stack": HOSTILE * 50, "metadata": {HOSTILE: [HOSTILE, "</script>"]}, "fingerprint": HOSTILE}
    make_issue(shop.project, **fields)
    client.post(f"/errors/shop/{quote(HOSTILE, safe='')}/status", {"status": "resolved"})
    record(shop.project, event_json(**{**fields, "event_id": None}))

    pages = (
        "/errors",
        f"/errors/shop/{quote(HOSTILE, safe='')}",
        f"/errors?{'&'.join(f'{n}={quote(HOSTILE)}' for n in 'q')}",
    )
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200
        html = answer.content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "alert(1)" in html, "it is shown, though"


LONG_STACK = "\n".join(f"at function_{number} (app.js:{number}:1)" for number in range(400))


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "مرحبا بالعالم", "error_type": "خطأ", "fingerprint": "rtl"},
        {"message": "a \u202e gnp.exe", "error_type": "\u2066spoof\u2069", "fingerprint": "bidi"},
        {"message": "🚀" * 500, "error_type": "👩‍👩‍👧‍👦", "fingerprint": "emoji"},
        {"message": "x" * 2048, "stack": LONG_STACK, "fingerprint": "long"},
        {"message": "a\x00b", "stack": "\x00", "metadata": {"k": "\x00"}, "fingerprint": "nul"},
        {"message": "a\nb\tc\x1b[31m", "fingerprint": "control"},
        {"message": "{{ 7|add:7 }} {% now %}", "fingerprint": "template"},
        {"release": None, "environment": None, "route_or_procedure": None, "fingerprint": "bare"},
        {"metadata": [1, {"deep": [[[["x"]]]]}], "fingerprint": "list"},
        {"metadata": "just text", "fingerprint": "text"},
        {"metadata": 0, "fingerprint": "zero"},
        {"metadata": {"html": "<b>&amp;</b>"}, "fingerprint": "html"},
    ],
    ids=lambda fields: str(fields["fingerprint"]),
)
def test_any_event_can_be_shown(fields: dict[str, Any], client: Client, shop: NewProject):
    issue = make_issue(shop.project, **fields)

    pages = [client.get(path) for path in ("/errors", f"/errors/shop/{issue.fingerprint}", f"/errors?q={quote('x')}")]

    assert [page.status_code for page in pages] == [200, 200, 200]
    for page in pages:
        assert "\x00" not in page.content.decode()
    stack = issue.events.get().stack
    if stack and "function_" in stack:
        assert len(stack.encode()) == 8192
        assert stack.splitlines()[-2] in pages[1].content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "GET /users/:id",
        "a/b/c",
        "50% off?",
        "x#y&z=1",
        "naïve 🚀 مرحبا",
        "/leading",
        "trailing/",
        "line\nbreak",
        "a;b",
        '"q"',
    ],
)
def test_an_issue_of_any_fingerprint_has_a_page_and_can_be_resolved(name: str, client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint=name)
    row = client.get("/errors").context["rows"][0]
    cookie = {"Cookie": f"session={client.cookies['session'].value}"}

    page = ask("GET", row.url, headers=cookie)
    client.post(row.status_url, {"status": "resolved"})

    assert page.status == 200
    assert f'action="{row.status_url}"' in unescape(page.body.decode())
    assert Issue.objects.get(fingerprint=name).status == "resolved"


# --- The seed's guide to the dashboard ----------------------------------------------------------------------------


def test_seed_main_view_shows_stats_bar_trend_chart_filters_and_error_list(client: Client, shop: NewProject):
    """Dashboard Guide, "Main View": "showing stats bar, trend chart, filters, and error list"."""
    make_issue(shop.project, error_type="Seeded")

    html = client.get("/errors").content.decode()

    parts = ('<dl class="stats">', 'data-chart="trend-data"', '<form class="filters"', '<table class="issues')
    places = [html.index(part) for part in parts]
    assert places == sorted(places), "in this order"
    for name in ("status", "release", "environment", "source", "route", "sort"):
        assert f'name="{name}"' in html
    assert "Seeded" in html[places[-1] :]


def test_seed_stats_auto_refresh_every_30_seconds(client: Client, shop: NewProject):
    """Troubleshooting, "Dashboard shows stale data": "Stats auto-refresh every 30 seconds", and no cache keeps them."""
    make_issue(shop.project)

    page = client.get("/errors")
    stats = client.get("/errors/stats", headers=HTMX)

    (bar,) = re.findall(r'<div id="stats"[^>]*>', page.content.decode())
    assert 'hx-get="/errors/stats?"' in bar
    assert 'hx-trigger="every 30s' in bar
    assert bar in stats.content.decode(), "so that it goes on"
    for answer in (page, stats):
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_headings_sort_and_say_so(client: Client, shop: NewProject):
    make_issue(shop.project)

    html = client.get("/errors?sort=total_count&project=shop&page=1").content.decode()

    assert re.search(r'aria-sort="descending"><a class="sort" href="[^"]*"[^>]*>.*?Events</a>', html, re.DOTALL)
    assert html.count("aria-sort") == 1
    assert 'href="?sort=last_seen&amp;project=shop"' in html


@pytest.mark.parametrize(
    ("query", "hours"), [("", 72), ("hours=24", 24), ("hours=336", 336), ("hours=x", 72), ("hours=9999", 720)]
)
def test_the_hours_of_the_chart_are_chosen_and_kept_by_the_filters(
    query: str, hours: int, client: Client, shop: NewProject
):
    make_issue(shop.project)

    answer = client.get(f"/errors?{query}&status=all")

    assert len(answer.context["trend_data"]["hours"]) == hours
    name, _, value = query.partition("=")
    assert (f'<input type="hidden" name="hours" value="{value}">' in answer.content.decode()) == (name == "hours")
