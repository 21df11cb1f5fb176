"""A person in a browser: sign in by link, find an error, resolve it, see it come back. With scripts and without."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, ViewportSize, expect, sync_playwright

from tests.journeys.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.browser]

DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NOTE_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""


@dataclass
class Complaints:
    """Everything a page was unhappy about."""

    heard: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        context.on("console", lambda said: self.heard.append(said.text) if said.type in ("error", "warning") else None)
        context.on("weberror", lambda error: self.heard.append(str(error.error)))
        context.on("requestfailed", lambda request: self.heard.append(f"{request.url} {request.failure}"))
        context.on("response", self.look_at)

    def look_at(self, response: Response) -> None:
        if response.status >= 400:
            self.heard.append(f"{response.status} {response.url}")


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


# Not a fixture of a wider scope: while Playwright's synchronous API is open, a running event loop is in this thread,
# and Django refuses its database to every test that follows.
@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(server: Server, complaints: Complaints, *, scripts: bool) -> Iterator[Page]:
    """A page of a fresh browser, at the server's front door."""
    with chromium() as browser:
        context = browser.new_context(base_url=server.origin, viewport=DESK, java_script_enabled=scripts)
        context.set_default_timeout(20_000)
        if scripts:
            context.add_init_script(NOTE_VIOLATIONS)
        complaints.listen(context)
        yield context.new_page()
        context.close()


def sign_in(page: Page, link: str) -> None:
    page.goto(link)
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
