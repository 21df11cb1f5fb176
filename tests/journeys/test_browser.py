"""A person in a browser: finds an error, resolves it, sees it come back, works on it. With scripts and without."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import DESK, PHONE, Complaints, visit
from tests.journeys.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def sign_in(page: Page, link: str) -> None:
    page.goto(f"{link}?next=/errors")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/errors")
    expect(page.get_by_role("heading", name="Errors", exact=True)).to_be_visible()


LONG_ERROR = {
    "message": "It took too long " + "x" * 600,
    "stack": ("at " + "veryLongFunctionNameWithoutAnyPlaceToBreak" * 6 + " (app.js:1:1)\n") * 12,
    "route_or_procedure": "/cart/" + "y" * 300,
    "release": "r" * 200,
    "metadata": {"text": "z" * 900, "direction": "مرحبا"},
}


def send_two_errors(server: Server) -> tuple[str, str]:
    """Two errors with names of their own, the first long in every way; returns the names once both are visible."""
    wanted, other = f"Browser{uuid.uuid4().hex}", f"Browser{uuid.uuid4().hex}"
    server.send(error_type=wanted, **LONG_ERROR)
    server.send(error_type=other)
    server.wait_for(wanted)
    server.wait_for(other)
    return wanted, other


def assert_fits_a_phone(page: Page) -> None:
    """No horizontal scroll of the page at 390 px."""
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{page.url} is {width} px wide"
    page.set_viewport_size(DESK)


def test_an_engineer_finds_an_error_resolves_it_and_sees_it_come_back(shared_server: Server, complaints: Complaints):
    link = shared_server.sign_in_link()
    wanted, other = send_two_errors(shared_server)
    with visit(shared_server, complaints, scripts=True) as page:
        sign_in(page, link)
        assert_fits_a_phone(page)

        expect(page.get_by_role("row").get_by_role("link", name=other)).to_be_visible()
        page.get_by_role("searchbox", name="Search errors").fill(wanted)
        expect(page.get_by_role("row").get_by_role("link", name=other)).to_have_count(0)
        assert f"q={wanted}" in page.url
        page.get_by_role("row").get_by_role("link", name=wanted).click()

        expect(page.get_by_role("heading", name=wanted)).to_be_visible()
        assert_fits_a_phone(page)
        page.get_by_role("button", name="Resolve", exact=True).click()
        panel = page.locator("#status-panel")
        expect(panel.get_by_text("Resolved", exact=True).first).to_be_visible()
        expect(panel.get_by_text("Unresolved to resolved by admin")).to_be_visible()

        shared_server.send(error_type=wanted, **LONG_ERROR)
        shared_server.wait_for(wanted, count=2)
        page.reload()
        expect(panel.get_by_text("Regressed", exact=True).first).to_be_visible()
        expect(panel.get_by_text("Came back after it was resolved")).to_be_visible()
        page.goto(f"/errors?q={wanted}")
        expect(page.locator("[data-row]").get_by_text("Regressed").first).to_be_visible()

    assert complaints.heard == []


def test_the_same_works_without_javascript(shared_server: Server, complaints: Complaints):
    link = shared_server.sign_in_link()
    wanted, other = send_two_errors(shared_server)
    with visit(shared_server, complaints, scripts=False) as page:
        sign_in(page, link)

        page.get_by_role("searchbox", name="Search errors").fill(wanted)
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_role("row").get_by_role("link", name=other)).to_have_count(0)
        assert f"q={wanted}" in page.url
        page.get_by_role("row").get_by_role("link", name=wanted).click()

        expect(page.get_by_role("heading", name=wanted)).to_be_visible()
        page.get_by_role("button", name="Resolve", exact=True).click()
        panel = page.locator("#status-panel")
        expect(panel.get_by_text("Resolved", exact=True).first).to_be_visible()
        expect(page.get_by_role("main").get_by_role("status").get_by_text("Resolved")).to_be_visible()

    assert [row["status"] for row in shared_server.found(wanted)] == ["resolved"]
    assert complaints.heard == []


def open_issue(page: Page, name: str) -> None:
    """From the list to the page of the error with this name."""
    page.goto(f"/errors?q={name}&status=all")
    page.get_by_role("row").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def test_an_engineer_mutes_undoes_writes_a_note_merges_and_takes_out(shared_server: Server, complaints: Complaints):
    link = shared_server.sign_in_link()
    wanted, other = send_two_errors(shared_server)
    with visit(shared_server, complaints, scripts=True) as page:
        sign_in(page, link)
        open_issue(page, wanted)
        panel, toasts = page.locator("#status-panel"), page.locator("[data-toasts]")

        panel.get_by_label("New note").fill("half a thought")
        panel.get_by_label("More ways to mute").click()
        assert_fits_a_phone(page)
        panel.get_by_role("button", name="10 more times").click()
        expect(panel.get_by_text("until it happens 10 more times")).to_be_visible()
        expect(panel.get_by_label("New note")).to_have_value("half a thought")
        toasts.get_by_role("button", name="Undo").click()
        expect(panel.get_by_role("button", name="Resolve", exact=True)).to_be_visible()
        expect(panel.get_by_text("Change undone: muted back to unresolved")).to_be_visible()

        panel.get_by_label("New note").fill("See https://example.com/incident")
        panel.get_by_label("New note").press("Control+Enter")
        expect(panel.get_by_role("link", name="https://example.com/incident")).to_be_visible()
        expect(panel.get_by_label("New note")).to_have_value("")
        panel.get_by_text("Edit", exact=True).click()
        panel.get_by_label("Note", exact=True).fill("It was the cache")
        panel.get_by_role("button", name="Save").click()
        expect(panel.get_by_text("It was the cache").first).to_be_visible()

        page.keyboard.press("r")
        expect(panel.get_by_text("Unresolved to resolved by admin")).to_be_visible()
        page.keyboard.press("u")
        expect(panel.get_by_text("Resolved to unresolved by admin")).to_be_visible()

        panel.get_by_role("link", name="Merge…").click()
        page.get_by_role("searchbox", name="Search issues of this project").fill(other)
        page.wait_for_url(f"**q={other}**")  # on a fresh server it is the only one before the search, too
        expect(page.get_by_role("radio")).to_have_count(1)
        assert_fits_a_phone(page)
        page.get_by_role("radio").check()
        page.get_by_role("button", name="Merge into the chosen issue").click()
        expect(page.get_by_role("heading", name=other)).to_be_visible()
        expect(page.get_by_text("1 merged issue")).to_be_visible()
        assert_fits_a_phone(page)
        page.get_by_role("link", name="Older event").click()
        expect(page.get_by_role("heading", name="Event", exact=False).first).to_be_visible()
        page.get_by_role("button", name="Take out").click()
        expect(page.get_by_role("heading", name=wanted)).to_be_visible()
        page.get_by_role("link", name="All events").click()
        expect(page.get_by_role("row")).to_have_count(2)
        assert_fits_a_phone(page)

    assert complaints.heard == []


def test_the_second_of_two_people_is_told_who_was_first(shared_server: Server):
    link = shared_server.sign_in_link()
    wanted, _ = send_two_errors(shared_server)
    with visit(shared_server, scripts=True) as page:
        sign_in(page, link)
        open_issue(page, wanted)
        mine = page.locator("#status-panel")
        theirs = page.context.new_page()
        theirs.goto(page.url)
        theirs.get_by_role("button", name="Resolve", exact=True).click()
        expect(theirs.get_by_text("Unresolved to resolved by admin")).to_be_visible()

        mine.get_by_role("button", name="Ignore").click()

        expect(mine.get_by_role("alert")).to_contain_text("admin resolved this")
        expect(mine.get_by_role("alert")).to_contain_text("Your change was not made.")
        expect(mine.get_by_role("button", name="Unresolve", exact=True)).to_be_visible()
        expect(mine.get_by_role("button", name="Ignore")).to_be_visible()
