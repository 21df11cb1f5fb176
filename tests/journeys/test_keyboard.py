"""A person without a mouse: walks rows and a tree of spans, opens and closes what floats, and never loses the focus."""

import pytest
from playwright.sync_api import Page, expect

from bloop_site.lib.clock import now_ms
from tests.journeys.browser import visit
from tests.journeys.server import Server

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.screen]


def enter(page: Page, server: Server, path: str) -> None:
    page.goto(f"{server.sign_in_link()}?next={path}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


def keys_listed(page: Page) -> str:
    """What `?` says of this page; closed again by Escape, which must give the focus back."""
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_be_visible()
    words = sheet.inner_text()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    return words


def test_rows_are_walked_the_list_of_keys_is_true_and_menus_give_the_focus_back(server: Server):
    for name in ("KeyOne", "KeyTwo"):
        server.send(error_type=name)
        server.wait_for(name)
    with visit(server) as page:
        enter(page, server, "/errors")
        rows = page.locator("[data-row-link]")
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(rows.nth(1)).to_be_focused()
        page.keyboard.press("k")
        expect(rows.nth(0)).to_be_focused()
        words = keys_listed(page)
        assert "Resolve" in words
        assert "Fold, unfold" not in words
        expect(rows.nth(0)).to_be_focused()

        page.keyboard.press("r")
        expect(page.locator("[data-row]")).to_have_count(1)
        expect(rows.nth(0)).to_be_focused()  # the next one has come up
        menu = page.get_by_label("Project: All projects")
        menu.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("navigation", name="Projects")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("navigation", name="Projects")).to_be_hidden()
        expect(menu).to_be_focused()

        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/errors/shop/**")
        more = page.get_by_label("More ways to mute")
        more.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="10 more times")).to_be_visible()
        page.keyboard.press("Escape")
        expect(more).to_be_focused()


def test_a_tree_of_spans_is_walked_folded_and_read(server: Server):
    def span(name: str, parent: str | None = None) -> dict[str, str]:
        return {"id": name, "name": name, "span_type": "tool"} | ({"parent_span_id": parent} if parent else {})

    spans = [span("root"), span("child", "root"), span("leaf", "child"), span("sibling", "root")]
    answer = server.post("/v1/traces", {"id": "tree", "name": "tree", "started_at": now_ms(), "spans": spans})
    assert answer.status == 200, answer.body
    server.wait_until_drained()
    with visit(server) as page:
        enter(page, server, "/llm/traces")
        words = keys_listed(page)
        assert "Open the row" in words
        assert "Resolve" not in words
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/llm/trace/shop?id=tree")
        assert "Fold, unfold" in keys_listed(page)

        def focused() -> str:
            return str(page.evaluate("document.activeElement.closest('[data-span]')?.dataset.span"))

        page.keyboard.press("j")
        walked = [focused()]
        for key in (
            "ArrowDown",
            "ArrowRight",
            "ArrowLeft",
            "ArrowLeft",
            "ArrowDown",
            "ArrowUp",
            "ArrowRight",
            "End",
            "Home",
        ):
            page.keyboard.press(key)
            walked.append(focused())
        # down to child, into leaf, back to child, which folds, on to sibling, back, unfolds, to the end, to the start
        assert walked == ["root", "child", "leaf", "child", "child", "sibling", "child", "child", "sibling", "root"]

        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#span-detail").get_by_role("heading", name="child", exact=True)).to_be_visible()
        expect(page.locator("[data-announcer]")).to_have_text("child")
        assert focused() == "child"
