"""Errors and traces that name each other: linked both ways, within a project, and only while both are there."""

from typing import Any

import pytest
from django.test import Client

from errors.contract import Event, decode_events, encode_events
from errors.models import Event as EventRow
from errors.models import Issue
from errors.services.merge import merge_issues
from errors.services.status import Actor
from llmtraces.models import Trace
from projects import crosslinks
from projects.services.projects import NewProject
from tests.factories import event_json, record, send
from tests.llmtraces.tracing import make_trace

TRACE_PAGE = "/llm/trace/shop?id=t%2F1"


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize(
    "named",
    [
        {"trace_id": "t/1"},
        {"llm_trace_id": "t/1"},
        {"metadata": {"trace_id": "t/1"}},
        {"metadata": {"llm_trace_id": "t/1"}},
        {"metadata": '{"llm_trace_id": "t/1"}'},
        {"trace_id": "of the tracing of requests", "llm_trace_id": "t/1"},
    ],
)
def test_an_error_that_names_a_trace_is_linked_from_it_and_back(
    named: dict[str, Any], admin_client: Client, shop: NewProject
):
    """Issue: "An error whose event or metadata names a trace id is linked from the trace and back"."""
    make_trace(shop.project, "t/1")
    send(admin_client, event_json(fingerprint="fp/1", error_type="OrderTimeout", **named), key=shop.api_key)

    assert TRACE_PAGE in shown(admin_client, "/errors/shop/fp%2F1")
    there = shown(admin_client, TRACE_PAGE)
    assert "Errors that name this trace" in there
    assert "OrderTimeout" in there
    assert f"/errors/shop/fp/1?event={EventRow.objects.get().pk}" in there


@pytest.mark.parametrize("named", [None, "", 5, ["t1"], {"t1": 1}, "x" * 129, "unknown"])
def test_what_names_no_trace_links_nowhere_and_costs_no_event(named: Any, admin_client: Client, shop: NewProject):
    make_trace(shop.project)

    record(shop.project, event_json(fingerprint="fp", trace_id=named))

    assert "LLM trace</dt>" not in shown(admin_client, "/errors/shop/fp")
    assert "Errors that name this trace" not in shown(admin_client, "/llm/trace/shop?id=t1")


def test_a_trace_that_comes_after_the_error_is_linked_too(admin_client: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="fp", trace_id="t1"))
    before = shown(admin_client, "/errors/shop/fp")

    make_trace(shop.project)

    assert "LLM trace</dt>" not in before
    assert "LLM trace</dt>" in shown(admin_client, "/errors/shop/fp")


def test_the_same_id_in_another_project_is_another_trace(admin_client: Client, shop: NewProject, other: NewProject):
    make_trace(other.project)
    record(shop.project, event_json(fingerprint="fp", trace_id="t1"))

    assert "LLM trace</dt>" not in shown(admin_client, "/errors/shop/fp")
    assert "Errors that name this trace" not in shown(admin_client, "/llm/trace/other?id=t1")


def test_an_issue_is_listed_once_with_its_newest_event_and_a_merged_one_as_who_shows_it(
    admin_client: Client, shop: NewProject
):
    for fingerprint in ("fp", "fp", "merged", "alone"):
        record(shop.project, event_json(fingerprint=fingerprint, trace_id="t1"))
    ids = dict(Issue.objects.values_list("fingerprint", "pk"))
    merge_issues(into_id=ids["fp"], issue_ids=[ids["merged"]], actor=Actor(None), now_ms=1)

    links = crosslinks.errors_of_trace(project_id=shop.project.pk, trace_id="t1")

    newest = EventRow.objects.filter(issue=ids["merged"]).get().pk
    assert [link.url.partition("?")[0] for link in links] == ["/errors/shop/alone", "/errors/shop/fp"]
    assert links[1].url.endswith(f"?event={newest}")


def test_events_buffered_before_they_could_name_a_trace_are_still_read():
    event = Event(*["x"] * 2, 1, *["x"] * 10, 500, *["x"] * 3, None, "t1")  # type: ignore[arg-type, call-arg]
    old = encode_events([event]).replace(b"\xa2t1", b"").replace(b"\xdc\x00\x13", b"\xdc\x00\x12")

    assert decode_events(encode_events([event])) == [event]
    assert decode_events(old)[0].trace_id is None


def test_asking_for_no_trace_asks_nothing(shop: NewProject, django_assert_num_queries: Any):
    with django_assert_num_queries(0):
        assert crosslinks.trace_urls(project_id=shop.project.pk, trace_ids=[]) == {}


def test_a_trace_known_by_an_update_alone_is_not_linked(admin_client: Client, shop: NewProject):
    make_trace(shop.project)
    Trace.objects.update(is_known=False)
    record(shop.project, event_json(fingerprint="fp", trace_id="t1"))

    assert "LLM trace</dt>" not in shown(admin_client, "/errors/shop/fp")
