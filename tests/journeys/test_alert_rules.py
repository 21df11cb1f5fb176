"""A person and an alert rule: filled in as a sentence, foretold, given a webhook, tested for real, deleted."""

import hashlib
import hmac
import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.alerts.sinks import Sink, answering
from tests.alerts.sinks import serving as sinking
from tests.journeys.browser import Complaints, visit
from tests.journeys.server import Home, Server, serving

pytestmark = [pytest.mark.journey, pytest.mark.browser]

OPEN = {"BLOOP__ALERTING__ALLOW_PRIVATE_ADDRESSES": "true"}


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def enter(page: Page, server: Server, link: str) -> None:
    """Sign in by the link, then open the alerts from the sidebar."""
    page.goto(f"{link}?next=/errors")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/errors")
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("heading", name="Alerts", exact=True)).to_be_visible()


def send_three(server: Server) -> None:
    """Three errors in a minute, folded."""
    error = f"Storm{uuid.uuid4().hex}"
    for _ in range(3):
        server.send(error_type=error)
    server.wait_for(error, count=3)


def fill_in(page: Page, sink: Sink, *, name: str) -> None:
    """More than two in five minutes, told to the sink."""
    page.get_by_role("link", name=re.compile("^Many errors")).click()
    page.get_by_label("Events", exact=True).fill("2")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_text("Webhook", exact=True).click()
    page.get_by_label("URL", exact=True).fill(sink.url("/told"))


def test_a_rule_is_made_foretold_tested_and_deleted(home: Home, complaints: Complaints):
    name = "Storm in the shop"
    with serving(home, **OPEN) as server, sinking(answering(200)) as sink:
        link = server.sign_in_link()
        send_three(server)
        with visit(server, complaints) as page:
            enter(page, server, link)
            expect(page.get_by_role("heading", name="Nobody is told yet")).to_be_visible()
            fill_in(page, sink, name=name)
            page.get_by_label("Environment", exact=True).click()  # leaving a field foretells anew
            expect(page.locator("#preview")).to_contain_text("It would have fired 1 time in the last 7 days")
            page.get_by_label("Events", exact=True).fill("9")
            page.get_by_label("Environment", exact=True).click()
            expect(page.locator("#preview")).to_contain_text("It would not have fired in the last 7 days")
            page.get_by_role("button", name="Save rule").click()  # with 9: what was sent must not fire it by itself

            expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
            expect(page.get_by_text("When errors happen more than 9 times in 5 minutes")).to_be_visible()
            secret = page.locator("#fresh-secret").inner_text()
            page.get_by_role("button", name="Test", exact=True).click()
            expect(page.locator("#tested")).to_contain_text("Arrived")
            assert_signed(sink, secret)

            page.get_by_role("navigation", name="Sections").get_by_role("link", name="Settings").click()
            page.get_by_role("navigation", name="Settings").get_by_role("link", name="Alerts").click()
            page.get_by_role("button", name=f"Test {name}").click()
            expect(page.locator("[id^=tested-]")).to_contain_text("Arrived")
            assert len(sink.got) == 2
            page.get_by_role("switch", name=name).click()
            expect(page.get_by_role("switch", name=name)).not_to_be_checked()

            page.get_by_role("link", name=name).click()
            delete = page.get_by_role("button", name="Delete rule")
            expect(delete).to_be_disabled()
            page.locator("#delete_name").fill(name)
            delete.click()
            expect(page.get_by_role("heading", name="Nobody is told yet")).to_be_visible()

    assert complaints.heard == []


def assert_signed(sink: Sink, secret: str) -> None:
    """The one message that came was signed with the secret that the page showed."""
    (told,) = sink.got
    assert told.path == "/told"
    signature = told.headers["x-bloop-signature"]
    stamp = re.search(r"t=(\d+)", signature)
    signed = f"{stamp[1]}.".encode() + told.body if stamp else told.body
    assert hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() in signature


def test_all_of_it_goes_without_scripts(home: Home):
    name = "Storm in the shop"
    with serving(home, **OPEN) as server, sinking(answering(500, b"no room")) as sink:
        link = server.sign_in_link()
        send_three(server)
        with visit(server, scripts=False) as page:
            enter(page, server, link)
            fill_in(page, sink, name=name)
            page.get_by_role("button", name="Try it").click()
            expect(page.locator("#preview")).to_contain_text("It would have fired 1 time in the last 7 days")
            expect(page.get_by_label("Name", exact=True)).to_have_value(name)
            page.get_by_role("button", name="Save rule").click()
            expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
            page.get_by_role("button", name="Test", exact=True).click()
            expect(page.locator("#tested")).to_contain_text("Failed")
            expect(page.locator("#tested")).to_contain_text("answered 500")
            expect(page.locator("#tested")).to_contain_text("no room")
            page.get_by_role("switch").click()
            expect(page.get_by_role("switch")).not_to_be_checked()
