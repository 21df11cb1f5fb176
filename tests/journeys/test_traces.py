"""A person follows a trace in a browser: from the list to its tree, its page and one of its spans."""

import time
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Complaints, visit
from tests.journeys.server import Server
from tests.journeys.test_browser import assert_fits_a_phone

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def send_trace(server: Server) -> str:
    """A trace of three spans, one of them failed; returns its name, also its id, once it has its page."""
    name, now = f"Trace{uuid.uuid4().hex}", int(time.time() * 1000)
    spans = [
        {"id": "root", "name": "answer", "span_type": "custom", "latency_ms": 900, "started_at": now},
        {
            "id": "ask",
            "parent_span_id": "root",
            "name": "ask the model",
            "model": "gpt-4o",
            "latency_ms": 500,
            "time_to_first_token_ms": 200,
            "started_at": now + 10,
        },
        {
            "id": "tool",
            "parent_span_id": "root",
            "name": "fetch order",
            "span_type": "tool",
            "latency_ms": 300,
            "started_at": now + 520,
            "status": "error",
            "error_message": "The order service is down",
        },
    ]
    trace = {
        "id": f"{name}/1",
        "name": name,
        "status": "error",
        "started_at": now,
        "ended_at": now + 900,
        "spans": spans,
    }
    assert server.post("/v1/traces", trace).status == 200
    server.wait_until_drained()
    return name


def sign_in(page: Page, link: str) -> None:
    page.goto(f"{link}?next=/llm/traces")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/llm/traces")


def test_an_engineer_opens_a_trace_in_place_then_its_page_then_a_span(shared_server: Server, complaints: Complaints):
    link, name = shared_server.sign_in_link(), send_trace(shared_server)
    with visit(shared_server, complaints) as page:
        sign_in(page, link)
        assert_fits_a_phone(page)

        page.get_by_role("button", name=f"Show the spans of {name}").click()
        expect(page.get_by_role("list", name=f"Spans of {name}").get_by_role("listitem")).to_have_count(3)
        page.get_by_role("link", name=name, exact=True).click()

        expect(page.get_by_role("heading", name=name)).to_be_visible()
        assert_fits_a_phone(page)
        page.get_by_role("link", name="First error").click()
        expect(page.get_by_text("The order service is down")).to_be_visible()
        page.wait_for_url(f"**/llm/trace/*?id={name}%2F1&span=tool")
        expect(page.locator("[data-span-link][aria-current]")).to_contain_text("fetch order")
        page.get_by_role("button", name="Collapse all").click()
        expect(page.get_by_text("ask the model")).to_be_hidden()
        page.get_by_role("button", name="Expand all").click()
        page.get_by_role("link", name="ask the model").click()
        expect(page.get_by_role("heading", name="ask the model")).to_be_visible()
        page.go_back()
        expect(page.get_by_text("The order service is down")).to_be_visible()

    assert complaints.heard == []


def test_the_same_works_without_javascript(shared_server: Server, complaints: Complaints):
    link, name = shared_server.sign_in_link(), send_trace(shared_server)
    with visit(shared_server, complaints, scripts=False) as page:
        sign_in(page, link)

        page.get_by_role("button", name=f"Show the spans of {name}").click()
        page.get_by_role("link", name="fetch order").click()

        expect(page.get_by_text("The order service is down")).to_be_visible()

    assert complaints.heard == []


def test_a_word_is_searched_and_seen_marked_where_it_was_found(shared_server: Server, complaints: Complaints):
    link, name = shared_server.sign_in_link(), send_trace(shared_server)
    with visit(shared_server, complaints) as page:
        sign_in(page, link)

        page.get_by_role("navigation", name="Sections").get_by_role("link", name="Search", exact=True).click()
        expect(page.get_by_text("Enter a query to search traces")).to_be_visible()
        page.get_by_label("Search traces").press_sequentially("order service")  # as one types

        row = page.locator("#results").get_by_role("link", name=name)
        expect(row).to_be_visible()
        expect(page.locator("#results mark").filter(has_text="service").first).to_be_visible()
        assert_fits_a_phone(page)
        page.get_by_label("Search traces").fill("nosuchwordanywhere")
        expect(page.locator("#results").get_by_role("link", name=name)).to_have_count(0)

    assert complaints.heard == []
