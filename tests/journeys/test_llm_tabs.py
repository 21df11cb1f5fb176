"""A person in a browser opens the tabs of LLM tracing, switches the window and narrows to a model."""

import pytest
from playwright.sync_api import expect

from bloop_site.lib.clock import now_ms
from tests.journeys.browser import PHONE, Complaints, visit
from tests.journeys.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def send_calls(server: Server) -> None:
    """One call of each of two models, taken and folded."""
    for model in ("gpt-4o", "claude-sonnet-4-5"):
        span = {"id": "s", "span_type": "generation", "name": "chat", "model": model, "latency_ms": 900, "cost": 0.02}
        answer = server.post("/v1/traces", {"id": f"tabs-{model}", "started_at": now_ms(), "spans": [span]})
        assert answer.status == 200, answer.body
    server.wait_until_drained()


def test_each_tab_opens_and_its_window_can_be_switched(shared_server: Server):
    complaints = Complaints()
    link = shared_server.sign_in_link()
    send_calls(shared_server)
    with visit(shared_server, complaints, scripts=True) as page:
        page.goto(f"{link}?next=/llm")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/llm")
        for tab in ("Overview", "Usage", "Latency", "Models"):
            page.get_by_role("group", name="LLM").get_by_role("link", name=tab, exact=True).click()
            expect(page.get_by_role("heading", name=tab, exact=True)).to_be_visible()
            page.get_by_role("navigation", name="Time window").get_by_role("link", name="6 h", exact=True).click()
            page.wait_for_url("**hours=6**")
            expect(page.locator("#results")).to_contain_text("gpt-4o")

            page.locator("select[name=model]").select_option("claude-sonnet-4-5")
            expect(page.get_by_role("link", name="Remove filter Model: claude-sonnet-4-5")).to_be_visible()
            page.get_by_role("link", name="Remove filter Model: claude-sonnet-4-5").click()
            expect(page.get_by_role("list", name="Active filters")).to_have_count(0)

            desk = page.viewport_size
            page.set_viewport_size(PHONE)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url
            assert desk is not None
            page.set_viewport_size(desk)
