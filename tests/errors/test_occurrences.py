"""The occurrences of an issue: one by one over all that are kept, and in pages, those of merged issues as of one."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bloop_site.lib.clock import DAY_MS, now_ms
from errors.models import Event, Issue
from errors.queries import occurrences
from errors.queries.occurrences import Cursor, EventFilter, event_page, nearest_ids
from projects.services.projects import NewProject
from tests.factories import event_json, make_issue, record

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(member_client: Client) -> Client:
    """Signed in as a member of the shop."""
    return member_client


def fill(shop: NewProject, count: int, *, fingerprint: str = "fp", **fields: Any) -> Issue:
    """An issue with so many events, whose request ids are "0" and on in order of arrival."""
    record(
        shop.project,
        *(event_json(fingerprint=fingerprint, request_id=str(number), **fields) for number in range(count)),
    )
    return Issue.objects.get(fingerprint=fingerprint)


def merge(issue: Issue, into: Issue) -> None:
    Issue.objects.filter(pk=issue.pk).update(merged_into=into)


def shown(answer: Any) -> str:
    return str(answer.context["sample"].request_id)


def listed(answer: Any) -> list[str]:
    return [str(row.request_id) for row in answer.context["page"].rows]


# --- One by one -------------------------------------------------------------------------------------------------


def test_every_kept_occurrence_is_reached_by_older_and_the_way_back_is_the_same(client: Client, shop: NewProject):
    fill(shop, 9)

    answer = client.get("/errors/shop/fp")
    back = [shown(answer)]
    while answer.context["older_url"]:
        answer = client.get(f"/errors/shop/fp{answer.context['older_url']}")
        back.append(shown(answer))
    forth = [shown(answer)]
    while answer.context["newer_url"]:
        answer = client.get(f"/errors/shop/fp{answer.context['newer_url']}")
        forth.append(shown(answer))

    assert back == [str(number) for number in reversed(range(9))]
    assert forth == [str(number) for number in range(9)]


def test_the_occurrences_of_merged_issues_are_leafed_through_as_one(client: Client, shop: NewProject):
    for number in range(6):
        record(shop.project, event_json(fingerprint=f"fp{number % 3}", request_id=str(number)))
    owner = Issue.objects.get(fingerprint="fp0")
    for other in Issue.objects.exclude(pk=owner.pk):
        merge(other, owner)

    answer = client.get("/errors/shop/fp0")
    seen = [shown(answer)]
    while answer.context["older_url"]:
        answer = client.get(f"/errors/shop/fp0{answer.context['older_url']}")
        seen.append(shown(answer))

    assert seen == ["5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize("wanted", ["", "x", "0", "-1", "²", "9" * 30, "1.5"])
def test_an_event_nobody_knows_means_the_newest(wanted: str, client: Client, shop: NewProject):
    fill(shop, 3)

    answer = client.get(f"/errors/shop/fp?event={wanted}")

    assert (answer.status_code, shown(answer), answer.context["newer_url"]) == (200, "2", None)


def test_an_event_that_is_gone_is_said_to_be(client: Client, shop: NewProject):
    issue = fill(shop, 3)
    oldest = issue.events.earliest("pk")
    gone = oldest.pk
    oldest.delete()

    html = client.get(f"/errors/shop/fp?event={gone}").content.decode()

    assert "is not kept any more. This is the newest." in html


def test_the_event_of_another_issue_is_not_shown(client: Client, shop: NewProject, other: NewProject):
    fill(shop, 1)
    foreign = make_issue(other.project, message="SecretOfOthers").events.get()
    neighbour = make_issue(shop.project, fingerprint="b", message="Neighbour").events.get()

    for pk in (foreign.pk, neighbour.pk):
        answer = client.get(f"/errors/shop/fp?event={pk}")
        assert shown(answer) == "0"
        assert b"SecretOfOthers" not in answer.content
        assert b"Neighbour" not in answer.content


def test_going_to_a_neighbour_keeps_the_hours_of_the_chart(client: Client, shop: NewProject):
    issue = fill(shop, 2)

    older = client.get("/errors/shop/fp?hours=24").context["older_url"]

    assert parse_qs(urlsplit(older).query) == {"hours": ["24"], "event": [str(issue.events.earliest("pk").pk)]}


# --- The list of all events -------------------------------------------------------------------------------------


def test_the_list_pages_by_fifty_there_and_back(client: Client, shop: NewProject):
    fill(shop, 120)
    everything = [str(number) for number in reversed(range(120))]

    first = client.get("/errors/shop/fp/events")
    second = client.get(f"/errors/shop/fp/events{first.context['older_url']}")
    third = client.get(f"/errors/shop/fp/events{second.context['older_url']}")

    assert [*listed(first), *listed(second), *listed(third)] == everything
    assert (first.context["newer_url"], third.context["older_url"]) == (None, None)
    assert listed(client.get(f"/errors/shop/fp/events{third.context['newer_url']}")) == everything[50:100]
    assert listed(client.get(f"/errors/shop/fp/events{second.context['newer_url']}")) == everything[:50]


def test_the_list_of_merged_issues_is_one_list(client: Client, shop: NewProject):
    for number in range(130):
        record(shop.project, event_json(fingerprint=f"fp{number % 4}", request_id=str(number)))
    owner = Issue.objects.get(fingerprint="fp1")
    for other in Issue.objects.exclude(pk=owner.pk):
        merge(other, owner)

    first = client.get("/errors/shop/fp1/events")
    second = client.get(f"/errors/shop/fp1/events{first.context['older_url']}")

    assert [*listed(first), *listed(second)] == [str(number) for number in reversed(range(30, 130))]


def test_a_row_shows_where_and_whom_and_the_message_only_when_it_differs(client: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="fp", message="The first"))
    fields = {"message": "Another one", "http_status": 502, "user_id_hash": "u5er", "route_or_procedure": "/pay"}
    record(shop.project, event_json(fingerprint="fp", release="9.9", environment="qa", **fields))

    html = client.get("/errors/shop/fp/events", headers=HTMX).content.decode()

    for words in ("Another one", "502", "u5er", "/pay", "9.9", "qa"):
        assert words in html
    assert "The first" not in html
    newest = Event.objects.latest("pk")
    assert f'href="/errors/shop/fp?event={newest.pk}"' in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("release=1.0", ["4", "0"]),
        ("environment=qa", ["5", "4"]),
        ("release=1.0&environment=qa", ["4"]),
        ("release=9.9", []),
        ("release=" + "x" * 300, ["5", "4", "3", "2", "1", "0"]),
        ("before=x&after=", ["5", "4", "3", "2", "1", "0"]),
        ("before=0", []),
    ],
)
def test_the_list_is_narrowed_by_release_and_environment(
    query: str, found: list[str], client: Client, shop: NewProject
):
    places = [("1.0", "prod"), ("2.0", "prod"), ("2.0", "prod"), ("2.0", "prod"), ("1.0", "qa"), ("2.0", "qa")]
    for number, (release, environment) in enumerate(places):
        record(
            shop.project,
            event_json(fingerprint="fp", release=release, environment=environment, request_id=str(number)),
        )

    answer = client.get(f"/errors/shop/fp/events?{query}")

    assert answer.status_code == 200
    assert listed(answer) == found


def test_a_filter_looks_at_so_many_events_and_then_offers_to_look_further(
    client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(occurrences, "MAX_LOOK", 10)
    record(shop.project, event_json(fingerprint="fp", environment="rare", request_id="wanted"))
    fill(shop, 25)
    record(shop.project, event_json(fingerprint="fp", environment="rare", request_id="new"))

    answers = [client.get("/errors/shop/fp/events?environment=rare")]
    while answers[-1].context["older_url"]:
        answers.append(client.get(f"/errors/shop/fp/events{answers[-1].context['older_url']}"))
    way_back = client.get(f"/errors/shop/fp/events{answers[-1].context['newer_url']}")

    assert [listed(answer) for answer in answers] == [["new"], [], ["wanted"]]
    assert [answer.context["page"].is_cut for answer in answers] == [True, True, False]
    assert "Look further back" in answers[1].content.decode()
    assert "None among the events looked at" in answers[1].content.decode()
    assert way_back.status_code == 200


def test_a_release_that_ended_long_ago_is_found_without_walking_through_all_that_came_since(
    client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(occurrences, "MAX_LOOK", 5)
    now = now_ms()
    old = event_json(fingerprint="fp", release="1.0", request_id="old")
    record(shop.project, old, received_ms=now - 5 * DAY_MS)
    for seconds in (4, 3, 2, 1):
        events = [event_json(fingerprint="fp", release="2.0") for _ in range(9)]
        record(shop.project, *events, received_ms=now - seconds * 1000)

    answer = client.get("/errors/shop/fp/events?release=1.0")

    assert listed(answer) == ["old"]


def test_a_page_reads_no_more_events_however_many_there_are(shop: NewProject):
    issue = fill(shop, 300)
    last = issue.events.latest("pk").pk

    with CaptureQueriesContext(connection) as captured:
        page = event_page([issue.pk], EventFilter(), Cursor(older_than=last), project_id=shop.project.pk, size=50)

    assert len(page.rows) == 50
    assert len(captured) == 2
    assert all("COUNT(" not in query["sql"] for query in captured.captured_queries)


def test_a_group_larger_than_a_statement_may_unite_is_read_in_pieces(shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    record(shop.project, *(event_json(fingerprint=f"f{number % 7}") for number in range(21)))
    monkeypatch.setattr(occurrences, "MAX_UNITED", 3)
    ids = list(Issue.objects.values_list("pk", flat=True))
    events = list(Event.objects.order_by("-pk").values_list("pk", flat=True))

    assert nearest_ids(ids, Cursor(), limit=10) == events[:10]
    assert nearest_ids(ids, Cursor(newer_than=events[10]), limit=3) == [events[9], events[8], events[7]]


def test_htmx_gets_the_results_alone(client: Client, shop: NewProject):
    fill(shop, 1)

    part = client.get("/errors/shop/fp/events", headers=HTMX).content.decode()

    assert "<html" not in part
    assert 'id="results"' in part


def test_a_foreign_issues_events_are_not_found(client: Client, other: NewProject):
    make_issue(other.project, fingerprint="fp")

    assert client.get("/errors/other/fp/events").status_code == 404
    assert client.get("/errors/shop/fp/events").status_code == 404


@pytest.mark.parametrize("ending", ["events", "status"])
def test_a_fingerprint_that_ends_like_an_address_has_its_own_page(ending: str, client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint=f"GET /{ending}", error_type="Whole")

    answer = client.get(f"/errors/shop/GET%20%2F{ending}")
    below = client.get(f"/errors/shop/GET%20%2F{ending}/events")

    assert (answer.status_code, below.status_code) == (200, 200)
    assert answer.context["issue"].error_type == "Whole"
    assert below.context["page"].rows
