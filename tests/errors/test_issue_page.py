"""The page of an issue beside its events: the hours of the chart, metadata of any shape, what can be copied."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of, now_ms
from errors.links import issue_url
from errors.models import Event, Issue
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, record


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


# --- The hours of the chart -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ("", 72),
        ("hours=24", 24),
        ("hours=720", 720),
        ("hours=5", 5),
        ("hours=0", 1),
        ("hours=9999999", 720),
        ("hours=x", 72),
        ("from=5&to=4", 72),
        ("from=x&to=9", 72),
        (f"from=1&to={40 * DAY_MS}", 72),
        ("to=9", 72),
    ],
)
def test_the_chart_shows_the_hours_of_the_address(query: str, hours: int, client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")

    data = client.get(f"/errors/shop/fp?{query}").context["trend_data"]

    assert len(data["hours"]) == len(data["counts"]) == hours
    assert data["hours"][-1] == hour_of(now_ms())


def test_a_zoomed_chart_has_the_hours_and_releases_between_two_moments_and_a_way_out(client: Client, shop: NewProject):
    noon = hour_of(now_ms()) - 2 * DAY_MS
    for release, at in (("1.0", noon - 1), ("2.0", noon), ("3.0", noon + 3 * HOUR_MS), ("4.0", noon + 5 * HOUR_MS)):
        record(shop.project, event_json(fingerprint="fp", release=release), received_ms=at)

    answer = client.get(f"/errors/shop/fp?from={noon + 1}&to={noon + 4 * HOUR_MS + 1}&event=1")

    data = answer.context["trend_data"]
    assert data["hours"] == [noon + hour * HOUR_MS for hour in range(5)]
    assert data["counts"] == [1, 0, 0, 1, 0]
    assert [mark["label"] for mark in data["releases"]] == ["2.0", "3.0"]
    windows = answer.context["windows"]
    assert not any(window.is_current for window in windows)
    assert parse_qs(urlsplit(windows[0].url).query) == {"hours": ["24"], "event": ["1"]}


def test_merged_issues_share_the_chart_and_its_marks(client: Client, shop: NewProject):
    owner = make_issue(shop.project, fingerprint="a", release="1.0")
    make_issue(shop.project, fingerprint="b", release="2.0")
    Issue.objects.filter(fingerprint="b").update(merged_into=owner)

    data = client.get("/errors/shop/a").context["trend_data"]

    assert sum(data["counts"]) == 2
    assert sorted(mark["label"] for mark in data["releases"]) == ["1.0", "2.0"]


# --- Metadata ---------------------------------------------------------------------------------------------------


def test_small_metadata_is_a_tree_with_the_raw_text_beside_it(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp", metadata={"cart": {"id": 7, "items": ["a", "b"]}, "empty": ""})

    html = client.get("/errors/shop/fp").content.decode()

    tree = html[html.index('class="tree"') : html.index("<summary>", html.index("tree__value--word")) + 1]
    assert "cart" in tree
    assert "2 items" in html
    assert "empty text" in html
    assert html.count("<details") == html.count("</details>")
    raw = re.search(r'id="metadata"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert raw
    assert json.loads(unescape(raw[1])) == {"cart": {"id": 7, "items": ["a", "b"]}, "empty": ""}


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a":' * 1000 + "1" + "}" * 1000,
        "[" * 1000 + "]" * 1000,
        '{"a":' * 1000,
        json.dumps({str(number): number for number in range(500)}),
        "no json at all",
    ],
    ids=["objects 1,000 deep", "lists 1,000 deep", "cut off", "500 keys", "no JSON"],
)
def test_whatever_is_stored_as_metadata_the_page_shows_it(metadata: str, client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    Event.objects.update(metadata=metadata)

    answer = client.get("/errors/shop/fp")

    html = answer.content.decode()
    assert answer.status_code == 200
    raw = re.search(r'id="metadata"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert raw
    assert re.sub(r"\s", "", unescape(raw[1])) == re.sub(r"\s", "", metadata)
    assert html.count("<details") == html.count("</details>")
    assert len(html) < 400_000


# --- Copies -----------------------------------------------------------------------------------------------------


def copied(html: str, name: str) -> str:
    found = re.search(rf'<pre id="copy-{name}" hidden>(.*?)</pre>', html, re.DOTALL)
    assert found
    return unescape(found[1])


def test_the_issue_can_be_copied_as_markdown_curl_and_link(client: Client, shop: NewProject):
    fields: dict[str, Any] = {"stack": "at f\n```\n# Owned\n", "message": "Bad\n## `x`", "error_type": "A[b](c)"}
    make_issue(shop.project, fingerprint="GET /a b", release="1.0", **fields)

    html = client.get("/errors/shop/GET%20%2Fa%20b").content.decode()

    link = "http://localhost:5332/errors/shop/GET%20/a%20b"
    assert copied(html, "link") == link
    ticket = copied(html, "markdown")
    assert ticket.startswith(f"## [A\\[b\\]\\(c\\)]({link})\n\n- **Project:** Shop\n- **Status:** Unresolved\n")
    assert "````text\nat f\n```\n# Owned\n````" in ticket
    assert (
        copied(html, "curl") == 'curl --path-as-is -H "Authorization: Bearer $BLOOP_TOKEN" '
        f"'http://localhost:5332/v1/errors/GET%20%2Fa%20b?project_id={shop.project.pk}'"
    )


def test_the_copied_event_is_the_one_shown(client: Client, shop: NewProject):
    for words in ("first", "second"):
        record(shop.project, event_json(fingerprint="fp", message=words))
    first = Event.objects.earliest("pk")

    html = client.get(f"/errors/shop/fp?event={first.pk}").content.decode()

    assert "```text\nfirst\n```" in copied(html, "markdown")


def test_without_a_kept_event_the_issue_itself_is_copied(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp", message="What it was")
    Event.objects.all().delete()

    answer = client.get("/errors/shop/fp")

    assert answer.status_code == 200
    assert "What it was" in copied(answer.content.decode(), "markdown")


# --- Merged issues ----------------------------------------------------------------------------------------------


def test_the_address_of_a_merged_fingerprint_leads_to_the_issue_that_shows_it(client: Client, shop: NewProject):
    owner = make_issue(shop.project, fingerprint="owner")
    make_issue(shop.project, fingerprint="merged/one")
    Issue.objects.filter(fingerprint="merged/one").update(merged_into=owner)

    answer = client.get("/errors/shop/merged%2Fone")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/errors/shop/owner")
    assert "is merged into this one" in client.get("/errors/shop/owner").content.decode()


# --- Addresses --------------------------------------------------------------------------------------------------------


def folded(path: str) -> str:
    """The path as a browser asks for it: segments of dots, escaped or not, are taken for folders (WHATWG URL 4.4)."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        dots = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if dots == "..":
            kept = kept[:-1]
        elif dots != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


@pytest.mark.parametrize(
    "fingerprint", [".", "..", "a/..", "../b", "x/./y", "../../settings/tokens", ".~", "..~~", "~"]
)
def test_browsers_fold_no_address_of_an_issue(fingerprint: str, client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint=fingerprint)

    rows = client.get("/errors").context["rows"]
    shown = client.get(folded(rows[0].url))
    resolved = client.post(folded(rows[0].status_url), {"status": "resolved"})

    assert shown.context["issue"].fingerprint == fingerprint
    assert (resolved.status_code, resolved.headers["Location"]) == (302, rows[0].url)
    assert Issue.objects.get().status == "resolved"


def test_an_issue_of_dots_answers_as_it_is_spelled_too(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="a/../b")

    assert client.get("/errors/shop/a/../b").context["issue"].fingerprint == "a/../b"


def test_an_issue_of_dots_is_found_by_the_address_of_its_page(client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="..", error_type="Dots")
    make_issue(shop.project, fingerprint="other")

    found = client.get("/errors/shop/other/merge", {"q": f"http://testserver{issue_url('shop', '..')}"})

    assert [each.fingerprint for each in found.context["rows"]] == [".."]
