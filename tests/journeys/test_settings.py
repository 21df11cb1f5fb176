"""A person in the settings: a project made, used and deleted, a token made and revoked. With scripts and without."""

import re
import subprocess
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import DESK, PHONE, Complaints, visit
from tests.journeys.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.browser]

KEY = re.compile(r"bloop_[0-9a-f]{64}")


def enter(page: Page, server: Server, link: str) -> None:
    """Sign in by the link, then open the settings from the sidebar."""
    page.goto(f"{link}?next=/errors")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/errors")
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()


def assert_fits_a_phone(page: Page) -> None:
    """No horizontal scroll of the page at 390 px."""
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{page.url} is {width} px wide"
    page.set_viewport_size(DESK)


def run_shell(code: str, folder: Path) -> str:
    path = folder / "snippet.sh"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(["sh", str(path)], capture_output=True, text=True, timeout=180, check=False)
    return done.stdout


def make_project(page: Page, name: str, *, slug: str | None) -> str:
    """Make a project with the form; the key that its page shows. slug: None when the page is to suggest one."""
    page.get_by_text("New project", exact=True).click()
    page.get_by_label("Name", exact=True).press_sequentially(name)
    if slug is not None:
        page.get_by_label("Slug").fill(slug)
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    key = page.locator("#fresh-key").inner_text()
    assert KEY.fullmatch(key)
    return key


def test_a_project_lives_from_its_first_error_to_its_end(shared_server: Server, complaints: Complaints, tmp_path: Path):
    link, name = shared_server.sign_in_link(), f"Déjà vu {uuid.uuid4().hex[:8]}"
    with visit(shared_server, complaints) as page:
        enter(page, shared_server, link)
        key = make_project(page, name, slug=None)
        assert page.url.endswith(
            f"/settings/projects/{name.lower().replace('é', 'e').replace('à', 'a').replace(' ', '-')}"
        )
        assert_fits_a_phone(page)

        page.get_by_role("radio", name="Shell").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#snippet-python")).to_be_visible()
        expect(page.locator("#snippet-shell")).to_be_hidden()
        page.keyboard.press("ArrowLeft")
        code = page.locator("#snippet-shell").inner_text()
        assert key in code
        assert run_shell(code, tmp_path) == '{"status":"accepted"}'

        page.reload()
        expect(page.locator("#fresh-key")).to_have_count(0)
        assert key not in page.content()
        page.get_by_role("link", name="its errors").click()
        expect(page.get_by_role("link", name="HelloError").first).to_be_visible()  # listed, or awaited and arrived
        page.go_back()

        button = page.get_by_role("button", name="Delete project")
        expect(button).to_be_disabled()
        page.locator("#delete_name").fill(name[:-1])
        expect(button).to_be_disabled()
        page.locator("#delete_name").fill(name)
        button.click()
        expect(page.get_by_text(f"{name} is removed, with everything it held.")).to_be_visible()
        expect(page.get_by_role("link", name=name)).to_have_count(0)

    assert complaints.heard == []


def test_the_same_works_without_scripts(shared_server: Server, complaints: Complaints, tmp_path: Path):
    link, name = shared_server.sign_in_link(), f"Plain {uuid.uuid4().hex[:8]}"
    with visit(shared_server, complaints, scripts=False) as page:
        enter(page, shared_server, link)
        make_project(page, name, slug=name.lower().replace(" ", "-"))
        page.locator("label", has_text="Python").click()
        expect(page.locator("#snippet-python")).to_be_visible()
        page.locator("label", has_text="Shell").click()
        assert run_shell(page.locator("#snippet-shell").inner_text(), tmp_path) == '{"status":"accepted"}'

        page.get_by_role("navigation", name="Settings").get_by_role("link", name="API tokens").click()
        page.get_by_text("New token", exact=True).click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Project", exact=True).select_option(label=name)
        page.get_by_role("button", name="Create token").click()
        secret = page.locator("#fresh-token").inner_text()
        assert shared_server.request("GET", "/v1/errors", headers={"Authorization": f"Bearer {secret}"}).status == 200
        row = page.get_by_role("row").filter(has_text=name)
        row.get_by_text("Revoke", exact=False).first.click()
        row.get_by_role("button", name="Revoke token").click()
        expect(page.get_by_text("Revoked: nothing can use that token any more.")).to_be_visible()
        assert shared_server.request("GET", "/v1/errors", headers={"Authorization": f"Bearer {secret}"}).status == 401

        page.get_by_role("navigation", name="Settings").get_by_role("link", name="Projects").click()
        page.get_by_role("link", name=name).click()
        page.locator("#delete_name").fill(name)
        page.get_by_role("button", name="Delete project").click()
        expect(page.get_by_role("link", name=name)).to_have_count(0)
        expect(page.get_by_text(re.compile(f"Removing {name}|{name} is removed"))).to_be_visible()

    assert complaints.heard == []


def test_every_page_of_the_settings_fits_a_phone_and_shows_its_own_tab(shared_server: Server, complaints: Complaints):
    link = shared_server.sign_in_link()
    with visit(shared_server, complaints) as page:
        enter(page, shared_server, link)
        page.set_viewport_size(PHONE)
        of_shop = ("projects/shop", "projects/shop/sourcemaps")
        for path in ("projects", *of_shop, "tokens", "members", "invites", "audit", "account"):
            page.goto(f"/settings/{path}")
            page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], f"{path} is {width} px wide"
            current = page.get_by_role("navigation", name="Settings").locator("[aria-current]")
            box = current.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE["width"], path

    assert complaints.heard == []


def test_the_log_is_filtered_without_leaving_the_page(shared_server: Server, complaints: Complaints):
    link, name = shared_server.sign_in_link(), f"Logged {uuid.uuid4().hex[:8]}"
    with visit(shared_server, complaints) as page:
        enter(page, shared_server, link)
        make_project(page, name, slug=None)
        page.goto("/settings/audit")
        page.locator("[name=action]").select_option(label="Rotated a key")
        expect(page.get_by_role("row").filter(has_text=name)).to_have_count(0)
        assert "action=key_rotated" in page.url
        page.locator("[name=action]").select_option(label="Made a project")
        expect(page.get_by_role("row").filter(has_text=name)).to_be_visible()
        page.get_by_role("link", name="Remove filter Action").click()
        expect(page.locator("[name=action]")).to_have_value("")

    assert complaints.heard == []


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()
