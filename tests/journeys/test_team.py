"""A team of two from an empty database with the browser alone, and what else people do about their ways in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.browser import DESK, NOTE_VIOLATIONS, PATIENCE_MS, Complaints, Device, chromium, visit
from tests.journeys.server import Home, Server, database, serving

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def empty_home(tmp_path: Path) -> Iterator[Home]:
    """Migrated, and nothing else."""
    with database() as url:
        home = Home(tmp_path, url)
        migrated = home.manage("migrate", "--noinput", "--verbosity", "0")
        assert migrated.returncode == 0, migrated.stderr
        yield home


def person(browser: Browser, server: Server, complaints: Complaints) -> Page:
    """A browser of somebody's own, with a device that holds their passkeys."""
    context = browser.new_context(base_url=server.origin, viewport=DESK)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NOTE_VIOLATIONS)
    complaints.listen(context)
    page = context.new_page()
    Device.of(page)
    return page


def test_a_team_of_two_sets_itself_up_from_an_empty_database(empty_home: Home):
    complaints = Complaints()
    with serving(empty_home) as server, chromium() as browser:
        ann = person(browser, server, complaints)
        ann.goto(server.sign_in_link())
        ann.get_by_label("Your name here").fill("ann")
        ann.get_by_role("button", name="Create a passkey").click()
        expect(ann.get_by_role("heading", name="Errors", exact=True)).to_be_visible()

        key = make_project(ann, "Shop")
        ann.reload()
        assert key not in ann.content(), "a key is shown once"

        kim = person(browser, server, complaints)
        kim.goto(make_invite(ann, "Shop"))
        expect(kim.get_by_text("You are invited as member of Shop")).to_be_visible()
        kim.get_by_label("Your name here").fill("kim")
        kim.get_by_role("button", name="Create a passkey and join").click()
        expect(kim.get_by_title("Signed in as kim")).to_be_attached()

        kim.goto("/settings/projects")
        expect(kim.get_by_role("row").get_by_role("link")).to_have_text(["Shop"])
        ann.goto("/settings/projects")
        expect(ann.get_by_role("row").get_by_role("link", name="Default")).to_be_visible()
    assert complaints.heard == []


def make_project(page: Page, name: str) -> str:
    """Make a project by the settings. Returns the key as the page shows it."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("navigation", name="Settings").get_by_role("link", name="Projects").click()
    page.get_by_text("New project").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_text("it will not be shown again")).to_be_visible()
    key = page.locator("#fresh-key").inner_text()
    assert key.startswith("bloop_")
    return key


def make_invite(page: Page, project: str) -> str:
    """Make an invite for a member of `project` by the settings. Returns the link as the page shows it."""
    page.get_by_role("navigation", name="Settings").get_by_role("link", name="Invites").click()
    page.get_by_text("New invite").click()
    page.get_by_role("checkbox", name=project).check()
    page.get_by_role("button", name="Make invite").click()
    return page.locator("#invite-1").inner_text()


def test_a_recovery_code_lets_in_who_lost_their_passkey(server: Server):
    with visit(server) as page:
        device = Device.of(page)
        page.goto(server.sign_in_link())
        page.get_by_role("button", name="Create a passkey").click()
        page.wait_for_url("**/errors")
        page.goto("/settings/account")
        page.get_by_role("button", name="Make recovery codes").click()
        code = page.locator("#codes").inner_text().split()[0]
        page.context.clear_cookies()
        device.remove()

        page.goto("/errors?q=wanted")
        page.get_by_role("link", name="Use a recovery code").click()
        page.get_by_label("Your name").fill("admin")
        page.get_by_label("Recovery code").fill("none-of-them")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("do not belong together")
        page.wait_for_timeout(1_100)  # a wrong one makes the next wait a second
        page.get_by_label("Recovery code").fill(code)
        page.get_by_role("button", name="Sign in").click()

        page.wait_for_url("**/errors?q=wanted")
        expect(page.get_by_text("You have 9 recovery codes left")).to_be_visible()


def test_who_comes_by_a_link_confirms_with_a_passkey_before_the_admin_opens(server: Server):
    with visit(server) as page:
        Device.of(page)
        page.goto(server.sign_in_link())
        page.get_by_role("button", name="Create a passkey").click()
        page.wait_for_url("**/errors")
        page.goto("/admin/")
        expect(page.get_by_role("heading", name="Confirm it is you")).to_have_count(0)
        page.context.clear_cookies()

        page.goto(str(server.home.manage_json("loginlink", "admin", env=server.env)["url"]))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/errors")
        page.goto("/admin/")
        expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
        page.get_by_role("button", name="Confirm with a passkey").click()

        page.wait_for_url("**/admin/")
        expect(page.get_by_role("heading", name="Confirm it is you")).to_have_count(0)
