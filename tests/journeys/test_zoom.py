"""A person in a browser drags over hours of a chart, or chooses them by keys: the address and the numbers change."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms
from tests.journeys.browser import PHONE, Complaints, visit
from tests.journeys.server import Server, await_room_in_the_hour

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def send_calls(server: Server) -> int:
    """Three calls three hours ago and one now; returns the start of the hour of the three."""
    await_room_in_the_hour()
    now = now_ms()
    for number, at in enumerate([now, *[now - 3 * HOUR_MS] * 3]):
        span = {"id": "s", "span_type": "generation", "name": "chat", "model": "gpt-4o", "latency_ms": 900, "cost": 1}
        answer = server.post("/v1/traces", {"id": f"zoom-{now}-{number}", "started_at": at, "spans": [span]})
        assert answer.status == 200, answer.body
    server.wait_until_drained()
    return hour_of(now - 3 * HOUR_MS)


def enter(page: Page, link: str, path: str) -> None:
    page.goto(f"{link}?next={path}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


def drag(page: Page, chart: Locator, *, slots: int, first: int, last: int, let_go: bool = True) -> None:
    """From the middle of one slot to that of another, with the mouse."""
    area = chart.locator(".u-over").bounding_box()
    assert area is not None
    step, middle = area["width"] / slots, area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + (first + 0.5) * step, middle)
    page.mouse.down()
    page.mouse.move(area["x"] + (last + 0.5) * step, middle, steps=4)
    if let_go:
        page.mouse.up()


def hours_in(page: Page) -> tuple[int, int]:
    """The hours that the address names."""
    query = parse_qs(urlsplit(page.url).query)
    return int(query["from"][0]), int(query["to"][0])


def traces_shown(page: Page) -> Locator:
    """The figure of the card Traces."""
    return page.locator(".cards__card").filter(has_text="Traces").locator(".cards__figure")


def test_hours_dragged_over_are_shown_alone_from_tab_to_tab_until_their_chip_is_removed(server: Server):
    complaints = Complaints()
    link, three_at = server.sign_in_link(), send_calls(server)
    with visit(server, complaints) as page:
        enter(page, link, "/llm")
        page.get_by_role("navigation", name="Time window").get_by_role("link", name="6 h", exact=True).click()
        expect(traces_shown(page)).to_have_text("4")
        chart = page.get_by_role("slider", name="Cost by model")

        drag(page, chart, slots=7, first=2, last=3, let_go=False)
        expect(page.locator(".zoom-words")).to_contain_text("2 hours")
        page.keyboard.press("Escape")
        page.mouse.up()
        expect(page.locator(".zoom-words")).to_have_count(0)
        assert "from=" not in page.url

        drag(page, chart, slots=7, first=2, last=3)
        page.wait_for_url("**from=**")
        assert hours_in(page) == (three_at - HOUR_MS, three_at + HOUR_MS)
        expect(traces_shown(page)).to_have_text("3")
        page.get_by_role("group", name="LLM").get_by_role("link", name="Traces", exact=True).click()
        page.wait_for_url("**/llm/traces?**from=**")
        expect(page.locator("[data-row]")).to_have_count(3)

        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("link", name="Remove filter Hours").click()
        expect(page.locator("[data-row]")).to_have_count(4)
        assert parse_qs(urlsplit(page.url).query) == {"hours": ["6"]}

    assert complaints.heard == []


def test_keys_read_a_chart_and_choose_its_hours(server: Server):
    link, three_at = server.sign_in_link(), send_calls(server)
    with visit(server) as page:
        enter(page, link, "/llm")
        chart = page.get_by_role("slider", name="Cost by model")
        chart.focus()
        page.keyboard.press("End")
        assert "gpt-4o $1" in str(chart.get_attribute("aria-valuetext"))
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        assert "gpt-4o $3" in str(chart.get_attribute("aria-valuetext"))
        page.keyboard.press("Shift+ArrowLeft")
        assert "2 hours" in str(chart.get_attribute("aria-valuetext"))
        page.keyboard.press("Escape")
        expect(page.locator(".zoom-band")).to_have_count(0)
        page.keyboard.press("Shift+ArrowRight")  # from the hour before the three to theirs

        page.keyboard.press("Enter")

        page.wait_for_url("**from=**")
        assert hours_in(page) == (three_at - HOUR_MS, three_at + HOUR_MS)
        expect(traces_shown(page)).to_have_text("3")
        expect(page.get_by_role("slider", name="Cost by model")).to_be_focused()


def test_hours_of_errors_are_chosen_the_same_way(server: Server):
    link = server.sign_in_link()
    server.send(error_type="Dragged")
    server.wait_for("Dragged")
    with visit(server) as page:
        enter(page, link, "/errors")
        drag(page, page.locator("[data-chart-plot]"), slots=72, first=70, last=71)

        page.wait_for_url("**from=**")
        start, end = hours_in(page)
        assert end - start == 2 * HOUR_MS
        expect(page.get_by_role("heading", name="Events by hour, 2 hours")).to_be_visible()
        page.get_by_role("link", name="Remove filter Hours").click()
        expect(page.get_by_role("heading", name="Events by hour, last 72 hours")).to_be_visible()


def swipe(page: Page, area: Locator, *, across: float = 0, down: float = 0) -> None:
    """A finger moves over the area from its middle, by pixels."""
    box = area.bounding_box()
    assert box is not None
    finger = page.context.new_cdp_session(page)
    finger.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for step in range(9):
        points = [{"x": x + across * step / 8, "y": y + down * step / 8}]
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": points})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_chooses_sideways_and_scrolls_up_and_down(server: Server):
    link = server.sign_in_link()
    send_calls(server)
    with visit(server) as page:
        enter(page, link, "/llm")
        page.set_viewport_size({"width": 390, "height": 500})
        area = page.get_by_role("slider", name="Cost by model").locator(".u-over")
        area.scroll_into_view_if_needed()
        was = page.evaluate("scrollY")

        swipe(page, area, down=120)
        page.wait_for_function("(was) => scrollY < was", arg=was)
        assert "from=" not in page.url

        swipe(page, area, across=-100)
        page.wait_for_url("**from=**")
