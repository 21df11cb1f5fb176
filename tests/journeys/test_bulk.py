"""A person who clears up: finds many issues, takes all pages of them, resolves them and thinks again."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Complaints, visit
from tests.journeys.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.browser]
MANY = 30  # more than a page


def sign_in(page: Page, link: str) -> None:
    page.goto(f"{link}?next=/errors")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/errors")


def send_many(server: Server) -> str:
    """Thirty issues that a word of their own finds in their stacks; returns it."""
    word = f"w{uuid.uuid4().hex[:12]}"
    for number in range(MANY):
        server.send(
            error_type="Flood", message=f"{word}m{number}x", fingerprint=f"{word}-{number}", stack=f"at {word}()"
        )
    server.wait_until_drained()
    return word


def test_all_pages_of_a_search_are_resolved_at_once_and_taken_back(shared_server: Server):
    complaints = Complaints()
    link, word = shared_server.sign_in_link(), send_many(shared_server)
    with visit(shared_server, complaints) as page:
        sign_in(page, link)
        page.get_by_role("searchbox", name="Search errors").fill(word)
        rows = page.locator("[data-row]")
        expect(page.get_by_text(f"1 to 25 of {MANY}")).to_be_visible()
        expect(rows.locator("mark").first).to_have_text(word)
        bar = page.get_by_role("group", name="Selected issues")
        expect(bar).to_be_hidden()

        page.locator("[data-row-link]").first.focus()
        page.keyboard.press("x")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Shift+X")
        expect(bar).to_contain_text("3 selected")
        expect(page.locator("[data-announcer]")).to_have_text("3 issues selected")
        page.keyboard.press("Escape")
        expect(bar).to_be_hidden()

        page.get_by_role("columnheader", name="Selected").hover()
        page.get_by_role("checkbox", name="Select all 25 on this page").check()
        expect(bar).to_contain_text("25 selected")
        page.get_by_role("checkbox", name=f"Select all {MANY} matching").check()
        expect(bar).to_contain_text(f"{MANY} selected")
        page.keyboard.press("r")

        done = page.locator("#bulk-work")
        expect(done).to_contain_text(f"Resolved {MANY} issues.", timeout=60_000)
        expect(page.get_by_role("heading", name="No issue matches")).to_be_visible()

        page.goto("/settings/projects")  # what was done is still offered elsewhere and later
        page.goto(f"/errors?q={word}")
        done.get_by_role("button", name="Undo").click()
        expect(done).to_contain_text(f"Took back the change of {MANY} issues.", timeout=60_000)
        expect(rows).to_have_count(25)
        expect(rows.first).to_have_attribute("data-status", "unresolved")
    assert complaints.heard == []


def test_without_scripts_ticked_issues_are_ignored_by_a_form(shared_server: Server):
    link, word = shared_server.sign_in_link(), send_many(shared_server)
    with visit(shared_server, scripts=False) as page:
        sign_in(page, link)
        page.goto(f"/errors?q={word}")
        boxes = page.get_by_role("checkbox", name=re.compile("^Select Flood"))
        boxes.nth(0).check()
        boxes.nth(2).check()
        page.get_by_role("button", name="Ignore").click()

        expect(page.get_by_text("Ignored 2 issues.")).to_be_visible()
        expect(page.get_by_text(f"1 to 25 of {MANY - 2}")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Took back the change of 2 issues.")).to_be_visible()
