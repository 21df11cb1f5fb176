"""The pages of releases: whatever a release is called, without scripts, in parts, and for those who may see it."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of, now_ms
from errors.models import Issue, Release, ReleaseHourlyCount
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, make_token, make_user, record
from tests.wsgi import ask

HTMX = {"HX-Request": "true"}
HOSTILE = [
    "../x?y#z",
    "..",
    ".",
    "a/b",
    "/leading",
    "trailing/",
    "a//b",
    "  spaces  in it ",
    "🚀 ship it",
    "إصدار ٢",
    "\u202egnp.exe",
    "x" * 256,
    "é" * 128,
    "\"double\" 'single' `back`",
    "<script>alert(1)</script>",
    "100%_sure%2F",
    "a+b&name=c;d=e",
    "line\nbreak\ttab",
    "{{ 7 }}{% now %}",
]


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


def names(answer: Any) -> list[str]:
    return [row.name for row in answer.context["rows"]]


def links(answer: Any) -> list[str]:
    """The addresses of the page, as a browser reads them."""
    return [unescape(found) for found in re.findall(r'href="([^"]*)"', answer.content.decode())]


# --- Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_any_release_has_a_page_that_the_list_leads_to(name: str, client: Client, shop: NewProject):
    make_issue(shop.project, release="first", received_ms=now_ms() - 2 * DAY_MS)
    make_issue(shop.project, release=name, fingerprint="fp", received_ms=now_ms() - DAY_MS)
    stored = Release.objects.exclude(name="first").get().name

    (url,) = [
        url for url in links(client.get("/releases")) if url.startswith("/releases/shop?name=") and "first" not in url
    ]
    page = client.get(url)

    assert page.status_code == 200
    assert page.context["release"].name == stored
    assert [row.fingerprint for row in page.context["issues"]] == ["fp"]
    html = page.content.decode()
    assert "<script>alert" not in html
    assert "\u202e" not in html
    for link in links(page):
        if link.startswith("?"):
            inner = client.get(f"/releases/shop{link}")
            assert inner.context["release"].name == stored, link


@pytest.mark.parametrize("name", HOSTILE)
def test_the_api_answers_for_any_release_in_its_path(name: str, shop: NewProject):
    make_issue(shop.project, release=name)
    stored = Release.objects.get().name

    headers = {"Authorization": f"Bearer {make_token(shop.project).secret}"}
    answer = ask("GET", f"/v1/releases/{quote(stored, safe='').replace('.', '%2E')}/errors", headers=headers)

    assert [row["release"] for row in answer.json()] == [stored]


def test_a_template_can_link_to_a_release():
    page = Template("{% load releases %}{% release_url 'shop' name %}").render(Context({"name": "../x?y#z&\"'<é"}))

    assert page == "/releases/shop?name=..%2Fx%3Fy%23z%26%22%27%3C%C3%A9"


def test_the_marks_of_the_chart_show_turned_text_as_it_is(client: Client, shop: NewProject):
    make_issue(shop.project, release="1\u202e0")

    html = client.get("/releases/shop?" + "name=1%E2%80%AE0").content.decode()

    data = json.loads(re.search(r'id="trend-data"[^>]*>([^<]*)<', html).group(1))  # type: ignore[union-attr]
    assert [each["label"] for each in data["releases"]] == ["1\\u202e0"]


# --- The list ---------------------------------------------------------------------------------------------------


def test_the_list_is_newest_first_25_a_page(client: Client, shop: NewProject):
    now = now_ms()
    for number in range(30):
        make_issue(shop.project, release=f"r{number:02}", received_ms=now - (30 - number) * HOUR_MS)

    first, second = client.get("/releases"), client.get("/releases?page=2")

    assert names(first) == [f"r{number:02}" for number in range(29, 4, -1)]
    assert names(second) == [f"r{number:02}" for number in range(4, -1, -1)]
    assert "?page=2" in links(first)
    assert [row.figures.is_newest for row in first.context["rows"]] == [True, *[False] * 24]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("1.", ["1.1-BETA", "1.0"]),
        ("beta", ["1.1-BETA"]),
        ("%", ["50%"]),
        ("_", []),
        ("nothing", []),
        ("x" * 300, None),
    ],
)
def test_names_are_searched_whatever_their_case(q: str, found: list[str] | None, client: Client, shop: NewProject):
    everything = ["1.1-BETA", "50%", "1.0"]
    for number, name in enumerate(reversed(everything)):
        make_issue(shop.project, release=name, received_ms=now_ms() - DAY_MS + number)

    answer = client.get("/releases", {"q": q})

    assert names(answer) == (everything if found is None else found)
    if found == []:
        assert b"No release matches" in answer.content


def test_a_project_narrows_the_list_and_the_switcher_keeps_the_section(
    admin_client: Client, shop: NewProject, other: NewProject
):
    for project in (shop.project, other.project):
        make_issue(project, release=f"of {project.slug}")

    both, one = admin_client.get("/releases"), admin_client.get("/releases?project=other&q=of")
    page = admin_client.get("/releases/shop?name=of+shop&hours=24&tab=all")

    assert set(names(both)) == {"of shop", "of other"}
    assert names(one) == ["of other"]
    assert "/releases?q=of&project=shop" in links(one)
    assert "/releases?project=other" in links(page)
    assert 'href="/releases" title="Releases" aria-current="page"' in page.content.decode()


def test_sparks_are_half_days_of_two_weeks_with_gaps_as_zero(client: Client, shop: NewProject):
    now = now_ms()
    make_issue(shop.project, release="1.0", received_ms=now - 40 * DAY_MS)
    record(shop.project, *(event_json(release="1.0") for _ in range(3)), received_ms=now)
    record(shop.project, event_json(release="1.0"), received_ms=now - DAY_MS)

    (row,) = client.get("/releases").context["rows"]

    assert row.spark == (*[0] * 25, 1, 0, 3)
    assert "4 events in 14 days, at most 3 in 12 hours" in client.get("/releases").content.decode()


def test_without_any_release_the_page_says_how_to_send_one(client: Client, shop: NewProject):
    empty = client.get("/releases")
    record(shop.project, event_json(release=""))
    bare = client.get("/releases")

    assert b"No releases yet" in empty.content
    assert b"&quot;release&quot;" in empty.content or b'"release"' in empty.content
    assert b"No releases yet" in bare.content
    assert "/releases/shop?name=unknown" in links(bare)


# --- One release ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "hours", "words"),
    [
        ("24", 24, "24 hours"),
        ("72", 72, "72 hours"),
        ("336", 336, "14 days"),
        ("720", 720, "30 days"),
        ("", 336, "14 days"),
        ("9999999", 720, "30 days"),
        ("x", 336, "14 days"),
    ],
)
def test_the_chart_has_the_hours_asked_for(asked: str, hours: int, words: str, client: Client, shop: NewProject):
    now = now_ms()
    for days in (0, 2, 10, 20, 40):
        record(shop.project, event_json(release="1.0"), received_ms=now - days * DAY_MS)

    answer = client.get(f"/releases/shop?name=1.0&hours={asked}")

    trend = answer.context["trend"]
    assert len(trend.hours) == hours
    assert trend.total == sum(days * 24 < hours for days in (0, 2, 10, 20, 40))
    assert f"Events by hour, last {words}" in answer.content.decode()


def test_the_chart_marks_the_releases_that_appeared_in_it(client: Client, shop: NewProject):
    start = hour_of(now_ms()) - 2 * DAY_MS
    for number in range(20):
        make_issue(shop.project, release=f"r{number:02}", received_ms=start + number * HOUR_MS)
    record(shop.project, event_json(release=""), received_ms=start)

    marks = [mark.release for mark in client.get("/releases/shop?name=r00&hours=72").context["trend"].releases]

    assert marks == ["r00", *(f"r{number:02}" for number in range(8, 20))]


@pytest.mark.parametrize(
    ("which", "words"),
    [("new", "Nothing new"), ("regressed", "Nothing came back"), ("resolved", "Nothing resolved")],
)
def test_a_tab_without_issues_says_so(which: str, words: str, client: Client, shop: NewProject):
    make_issue(shop.project, release="1.0", received_ms=now_ms() - DAY_MS)
    make_issue(shop.project, release="1.1")

    answer = client.get(f"/releases/shop?name=1.1&tab={which}")

    assert words in answer.content.decode()


def test_issues_are_paged_and_htmx_gets_them_alone(client: Client, shop: NewProject):
    record(shop.project, *(event_json(release="1.0", fingerprint=f"fp{number:02}") for number in range(30)))

    whole = client.get("/releases/shop?name=1.0&tab=all&page=2")
    part = client.get("/releases/shop?name=1.0&tab=all&page=2", headers=HTMX)
    back = client.get("/releases/shop?name=1.0", headers={**HTMX, "HX-History-Restore-Request": "true"})

    assert len(whole.context["issues"]) == 5
    assert "HX-Request" in whole.headers["Vary"]
    assert part.content.decode().strip().startswith("<section")
    assert [link for link in links(part) if "/errors/" in link] == [row.url for row in whole.context["issues"]]
    assert b"<html" in back.content
    assert client.get("/releases", headers=HTMX).content.decode().strip().startswith("<div")


def test_the_page_works_by_plain_links(client: Client, shop: NewProject):
    now = now_ms()
    record(
        shop.project,
        *(event_json(release="1.0", fingerprint=f"fp{number:02}") for number in range(30)),
        received_ms=now - DAY_MS,
    )
    record(shop.project, event_json(release="1.1", fingerprint="fp00"), received_ms=now - HOUR_MS)

    seen, todo = set(), ["/releases"]
    while todo:
        url = todo.pop()
        answer = client.get(url)
        assert answer.status_code == 200, url
        seen.add(url)
        found = [f"{url.partition('?')[0]}{link}" if link.startswith("?") else link for link in links(answer)]
        todo += [link for link in {*found} - seen - {*todo} if link.startswith("/releases")]

    assert {"/releases/shop?name=1.0", "/releases/shop?name=1.1", "/releases?project=shop"} <= seen
    assert any("tab=all" in url and "page=2" in url for url in seen)
    assert any("hours=24" in url for url in seen)


@pytest.mark.parametrize(
    "path", ["/releases/shop?name=1.0.1", "/releases/shop?name=", "/releases/other?name=1.0", "/releases/none?name=1.0"]
)
def test_what_is_not_there_or_not_theirs_is_404(path: str, client: Client, shop: NewProject, other: NewProject):
    for project in (shop.project, other.project):
        make_issue(project, release="1.0")

    assert client.get(path).status_code == 404
    assert client.get("/releases/shop?name=1.0").status_code == 200


def test_a_stranger_sees_no_release_of_others(shop: NewProject, other: NewProject):
    make_issue(shop.project, release="secret-1.0")
    stranger = Client()
    stranger.force_login(make_user(projects=(other.project,)))

    assert b"secret" not in stranger.get("/releases").content
    assert stranger.get("/releases?project=shop").status_code == 404
    assert stranger.get("/v1/releases").json() == []


def test_the_address_without_a_name_leads_to_the_list(client: Client, shop: NewProject):
    answer = client.get("/releases/shop")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/releases?project=shop")


# --- What it costs ----------------------------------------------------------------------------------------------


def fill(shop: NewProject, count: int) -> None:
    """A release with `count` new, `count` regressed and `count` resolved issues, and `count` releases before it."""
    project, start = shop.project, now_ms() - 3 * DAY_MS
    for number in range(count):
        record(project, event_json(release=f"r{number}", fingerprint=f"old{number}"), received_ms=start + number)
        record(
            project,
            event_json(release="new", fingerprint=f"new{number}", environment=f"env-{number}"),
            received_ms=start + DAY_MS + number,
        )
    for issue in Issue.objects.filter(fingerprint__startswith="old"):
        change = {"project": project, "old_status": "resolved", "changed_ms": start + DAY_MS + 1_000}
        issue.transitions.create(**change, new_status="unresolved", cause="regression", release="new")
        issue.transitions.create(**change, new_status="resolved", cause="call")


@pytest.mark.parametrize(
    "path", ["/releases", *(f"/releases/shop?name=new&tab={tab}" for tab in ("new", "regressed", "resolved", "all"))]
)
def test_a_page_costs_the_same_queries_for_many_rows_as_for_few(path: str, client: Client, shop: NewProject):
    counts, answer = [], None
    for count in (3, 24):
        fill(shop, count)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        assert answer.status_code == 200
        counts.append(len(captured))
        assert not [query for query in captured.captured_queries if "errors_event" in query["sql"]]

    assert counts[0] == counts[1] <= 25
    if answer and "tab" in path:
        assert len(answer.context["issues"]) == 24
    assert ReleaseHourlyCount.objects.count() >= 24
