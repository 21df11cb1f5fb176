"""A person in a browser finds a spike on Insights, looks at its numbers and goes to its issue."""

import uuid

import pytest
from playwright.sync_api import expect

from tests.journeys.browser import PHONE, Complaints, visit
from tests.journeys.server import Server, await_room_in_the_hour, event

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def send_burst(server: Server, *names: str) -> None:
    """Forty events of each of these in the running hour, taken and folded."""
    await_room_in_the_hour()
    for name in names:
        events = [event(error_type=name, message=f"{name} failed") for _ in range(40)]
        assert server.post("/v1/ingest/batch", {"events": events}).status == 200
    server.wait_until_drained()


def test_from_insights_to_the_issue_of_a_spike(shared_server: Server):
    complaints = Complaints()
    link = shared_server.sign_in_link()
    name = f"Burst{uuid.uuid4().hex[:8]}"
    send_burst(shared_server, name)
    with visit(shared_server, complaints, scripts=True) as page:
        page.goto(f"{link}?next=/errors")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("navigation", name="Sections").get_by_role("link", name="Insights").click()
        expect(page.get_by_role("heading", name="Spikes", exact=True)).to_be_visible()
        page.get_by_role("navigation", name="Time window").get_by_role("link", name="24 h", exact=True).click()
        page.wait_for_url("**hours=24**")
        page.get_by_role("link", name="Classic z").click()  # by the season nothing is usual yet
        page.wait_for_url("**method=classic**")
        row = page.get_by_role("row").filter(has_text=name)
        expect(row).to_contain_text("Extreme")

        toggle = page.get_by_role("link", name=f"Show the numbers of {name}")
        toggle.click()
        expect(page.locator(".insight-opened .uplot")).to_be_visible()
        expect(page.locator(".insight-opened tbody tr").first).to_contain_text("40")
        expect(page.get_by_role("link", name=f"Hide the numbers of {name}")).to_be_focused()
        assert "open=" in page.url

        page.locator("select[name=environment]").select_option("production")
        expect(page.get_by_role("link", name="Remove filter Environment: production")).to_be_visible()
        page.get_by_role("group", name="Insights").get_by_role("link", name="Movers", exact=True).click()
        page.wait_for_url("**/insights/movers?**environment=production**")
        assert "hours=24" in page.url
        expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("New here")

        page.get_by_role("link", name=f"Show the numbers of {name}").click()
        page.get_by_role("slider", name="Events").focus()
        for key in ("End", "Shift+ArrowLeft", "Enter"):
            page.keyboard.press(key)
        page.wait_for_url("**from=**")
        expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("New here")
        page.locator("select[name=environment]").select_option("")
        expect(page.get_by_role("link", name="Remove filter Environment: production")).to_have_count(0)
        page.get_by_role("link", name="Remove filter Hours").click()
        page.wait_for_url(lambda url: "from=" not in url)
        assert "environment=" not in page.url, "what was chosen since the page came is kept"

        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url

        page.get_by_role("row").filter(has_text=name).locator("[data-row-link]").click()
        page.wait_for_url("**/errors/shop/**")
        expect(page.get_by_role("heading", name=name)).to_be_visible()

    assert complaints.heard == []


def test_insights_work_without_javascript(shared_server: Server):
    link = shared_server.sign_in_link()
    name = f"Plain{uuid.uuid4().hex[:8]}"
    send_burst(shared_server, name)
    with visit(shared_server, scripts=False) as page:
        page.goto(f"{link}?next=/insights")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/insights")
        page.get_by_role("link", name="Classic z").click()
        page.get_by_role("link", name=f"Show the numbers of {name}").click()
        expect(page.locator(".insight-opened tbody tr").first).to_contain_text("40")
        page.locator("select[name=environment]").select_option("production")
        page.get_by_role("button", name="Apply").click()
        page.wait_for_url("**environment=production**")
        page.get_by_role("row").filter(has_text=name).locator("[data-row-link]").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
