"""A person makes a project, watches it wait, gets the signature wrong, sees why, gets it right and sees it arrive."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import PHONE, Complaints, visit
from tests.journeys.server import Server, signed, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.browser]
BODY = b'{"error_type":"TypeError","message":"x is undefined"}'


def new_project(page: Page, server: Server) -> tuple[str, str]:
    """Slug and key of a project that is made with the form."""
    slug = f"start-{uuid.uuid4().hex[:8]}"
    page.goto(f"{server.sign_in_link()}?next=/settings/projects")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("New project", exact=True).click()
    page.get_by_label("Name", exact=True).fill(slug)
    page.get_by_label("Slug").fill(slug)
    page.get_by_role("button", name="Create project").click()
    return slug, page.locator("#fresh-key").inner_text()


def send(server: Server, key: str, *, signed_with: str) -> int:
    headers = {**signed(BODY, signed_with), "X-Project-Key": key}
    return server.request("POST", "/v1/ingest", BODY, headers).status


def test_the_first_event_is_waited_for_refused_and_arrives(shared_server: Server):
    complaints = Complaints()
    with visit(shared_server, complaints) as page:
        slug, key = new_project(page, shared_server)
        expect(page.get_by_text("Waiting for the first event…")).to_be_visible()
        page.goto(f"/errors?project={slug}")
        expect(page.get_by_text("Waiting for the first event…")).to_be_visible()
        expect(page.get_by_text("Check again")).to_be_hidden()

        assert send(shared_server, key, signed_with="another key") == 401
        refused = page.locator("details.refused")
        expect(refused).to_contain_text("signature does not match (1")
        expect(page.locator("[data-announcer]")).to_have_text("Refused: Signature does not match")
        refused.get_by_text("How to fix").click()
        expect(page.get_by_text("Sign the exact request body you send")).to_be_visible()
        page.wait_for_timeout(4_500)  # two polls: what is the same is left as it is
        expect(page.get_by_text("Sign the exact request body you send")).to_be_visible()

        assert send(shared_server, key, signed_with=key) == 200
        arrived = page.locator("#first-event")
        expect(arrived).to_contain_text("It arrived: TypeError: x is undefined")
        expect(page.locator("[data-announcer]")).to_have_text("It arrived: TypeError")
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        arrived.get_by_role("link", name="See all errors").click()
        expect(page.get_by_role("row").get_by_role("link", name="TypeError")).to_be_visible()
        expect(page.locator("details.refused")).to_contain_text("Refused 1 time")

    assert complaints.heard == []


def test_a_project_just_made_sees_its_first_event_arrive_beside_its_key(shared_server: Server):
    complaints = Complaints()
    with visit(shared_server, complaints) as page:
        _, key = new_project(page, shared_server)
        expect(page.get_by_text("Waiting for the first event…")).to_be_visible()

        assert send(shared_server, key, signed_with=key) == 200

        expect(page.locator("#first-event")).to_contain_text("It arrived: TypeError: x is undefined")
        expect(page.locator("#fresh-key")).to_have_text(key)
        page.locator("#first-event").get_by_role("link", name="TypeError").click()
        expect(page.get_by_role("heading", name="TypeError")).to_be_visible()

    assert complaints.heard == []


def test_without_scripts_the_page_is_looked_at_again(shared_server: Server):
    with visit(shared_server, scripts=False) as page:
        slug, key = new_project(page, shared_server)
        page.get_by_role("link", name="See whether the first event has arrived").click()
        page.wait_for_url(f"**/errors?project={slug}")
        assert send(shared_server, key, signed_with=key) == 200
        listed = page.get_by_role("row").get_by_role("link", name=re.compile("TypeError"))

        def look_again() -> bool:
            page.goto(f"/errors?project={slug}")
            return listed.count() == 1

        wait_until(look_again, what="the first event on the page")
