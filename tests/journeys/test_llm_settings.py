"""A person decides what is kept of traces, what is masked, what they may cost and at which prices, and sees it hold."""

import pytest
from playwright.sync_api import Page, expect

from bloop_site.lib.clock import now_ms
from tests.journeys.browser import DESK, PHONE, Complaints, visit
from tests.journeys.server import Server, await_room_in_the_hour

pytestmark = [pytest.mark.journey, pytest.mark.browser]

PAGE = "/settings/projects/shop/llm"
SAID = "refund for order-4711, write to ann@example.com"


def send_trace(server: Server, name: str) -> None:
    """A trace of a model nobody knows the price of, with a text, folded."""
    span = {"id": "s", "name": "ask", "span_type": "generation", "model": "house-model", "input_tokens": 1_000_000}
    sent = {"id": name, "name": name, "started_at": now_ms(), "input": SAID, "spans": [span]}
    answer = server.post("/v1/traces", sent)
    assert answer.status == 200, answer.body
    server.wait_until_drained()


def enter(page: Page, server: Server) -> None:
    page.goto(f"{server.sign_in_link()}?next=/settings/projects/shop")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/settings/projects/shop")
    page.get_by_role("main").get_by_role("link", name="LLM tracing").click()
    expect(page.get_by_role("heading", name="LLM tracing", exact=True)).to_be_visible()


def assert_fits_a_phone(page: Page) -> None:
    """No horizontal scroll of the page at 390 px."""
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{page.url} is {width} px wide"
    page.set_viewport_size(DESK)


def test_what_is_kept_and_masked_is_decided_tried_refused_and_holds(server: Server):
    send_trace(server, "before")
    with visit(server) as page:
        enter(page, server)
        policy, masking = page.locator("#policy"), page.locator("#masking")
        policy.get_by_role("radio", name="Everything").check()
        policy.get_by_role("button", name="Save").click()
        expect(policy).to_contain_text("by admin")
        expect(policy.get_by_role("radio", name="Everything")).to_be_checked()

        masking.get_by_label("Expressions of your own").fill("order-(\\d+")
        masking.get_by_role("button", name="Save").click()
        expect(masking).to_contain_text("missing )")
        expect(masking.get_by_label("Expressions of your own")).to_have_value("order-(\\d+")
        assert_fits_a_phone(page)

        masking.get_by_label("Expressions of your own").fill("order-\\d+")
        masking.get_by_role("checkbox", name="E-mail").check()
        masking.get_by_label("Try it").fill(SAID)
        masking.get_by_role("button", name="Try it").click()
        expect(masking.locator("#tried")).to_contain_text("refund for [masked], write to [email]")
        with page.expect_navigation():
            masking.get_by_role("button", name="Save").click()
        expect(masking.get_by_label("Expressions of your own")).to_have_value("order-\\d+")

        send_trace(server, "after")
        page.goto("/llm/trace/shop?id=before")
        expect(page.get_by_role("heading", name="before")).to_be_visible()
        expect(page.get_by_text("refund for")).to_have_count(0)  # the policy before kept no text
        page.goto("/llm/trace/shop?id=after")
        expect(page.get_by_text("refund for [masked], write to [email]")).to_be_visible()


def test_a_budget_is_set_a_model_is_priced_and_what_is_stored_is_counted_anew(server: Server):
    complaints = Complaints()
    await_room_in_the_hour()  # a budget is of a month
    send_trace(server, "unpriced")
    with visit(server, complaints) as page:
        enter(page, server)
        budget, prices, again = (page.locator(f"#{name}") for name in ("budget", "prices", "recalculate"))
        budget.get_by_label("Dollars a month").fill("10")
        budget.get_by_label("Warn at, in percent").fill("50")
        budget.get_by_role("button", name="Save budget").click()
        expect(budget).to_contain_text("0.0 % used")

        expect(prices).to_contain_text("No price in the last 30 days")
        prices.get_by_role("link", name="house-model").click()
        expect(prices.get_by_label("Model", exact=True)).to_have_value("house-model")
        prices.get_by_label("Input, $ per million").fill("2")
        prices.get_by_label("Output, $ per million").fill("3")
        prices.get_by_role("button", name="Set price").click()
        expect(prices.get_by_role("row").filter(has_text="house-model")).to_be_visible()
        assert_fits_a_phone(page)

        with server.worker_asleep():
            again.get_by_role("button", name="Recalculate").click()
            expect(again.get_by_role("progressbar", name="Pricing traces anew")).to_be_visible()
            expect(again).to_contain_text("Pricing 1 trace")
            expect(again.get_by_role("button", name="Recalculate")).to_be_disabled()
        expect(again.get_by_role("status")).to_contain_text("1 trace looked at, 1 span costs something else now.")
        page.reload()
        expect(budget).to_contain_text("20.0 % used")
        prices.get_by_role("button", name="Remove the price of house-model").click()
        expect(prices.get_by_role("row").filter(has_text="house-model")).to_have_count(0)
        expect(budget).to_contain_text("20.0 % used")  # what was counted stays counted

    assert complaints.heard == []
