"""Every page so far under axe-core, light and dark, on a desk and on a phone: nothing serious or critical."""

import uuid
from importlib.resources import files
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.journeys.browser import Device, chromium
from tests.journeys.server import Home, Server, serving

pytestmark = [pytest.mark.journey, pytest.mark.browser]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SERIOUS = {"serious", "critical"}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKS = [(theme, width) for theme in THEMES for width in (1440, 390)]
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def violations(page: Page) -> list[str]:
    """What axe holds to be serious or critical on the page, with the elements it means."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("(rules) => axe.run(document, rules)", RULES)
    return [
        f"{each['impact']} {each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:4]]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def problems(page: Page, path: str) -> list[str]:
    """The violations of one page in every look, and whether it is wider than the screen."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status in (200, 410), f"{path} answered {answer.status}"
    page.wait_for_load_state("networkidle")
    found = []
    for theme, width in LOOKS:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{path} {theme} {width}: {each}" for each in violations(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path} {theme} {width}: {wide} px wide"] if wide > width else []
    return found


def all_problems(context: BrowserContext, paths: list[str]) -> str:
    """The violations of all these pages, a line each."""
    page = context.new_page()
    return "\n".join(each for path in paths for each in problems(page, path))


def test_the_pages_before_sign_in_have_no_serious_problem(home: Home):
    with serving(home) as server, chromium() as browser:
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        first = server.sign_in_link().removeprefix(server.origin)
        found = [all_problems(context, ["/auth/login", first])]
        server.sign_in()
        invite = str(home.manage_json("createinvite", env=server.env)["token"])
        link = str(home.manage_json("loginlink", "admin", env=server.env)["url"]).removeprefix(server.origin)
        paths = ["/auth/login?next=/errors", "/auth/recover", link, "/auth/link/x", "/auth/invite/x"]
        found.append(all_problems(context, [*paths, f"/auth/invite/{invite}"]))

    assert "".join(found) == ""


def test_the_pages_behind_sign_in_have_no_serious_problem(home: Home):
    error = f"Accessible{uuid.uuid4().hex}"
    with serving(home) as server, chromium() as browser:
        stack = "TypeError: x\n    at f (/srv/web/a.js:1:2)\n    at g (/srv/web/node_modules/b/c.js:3:4)"
        server.send(error_type=error, message="Cannot read property 'id' of undefined", stack=stack)
        fingerprint = server.wait_for(error)["fingerprint"]
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)

        settings = ["account", "projects", "projects/shop", "tokens", "members", "invites", "audit"]
        found = all_problems(
            context,
            [
                "/errors",
                "/errors?q=nothing-is-called-so",
                f"/errors/shop/{fingerprint}",
                *(f"/settings/{page}" for page in settings),
                "/auth/verify?next=/admin/",
                "/admin/",
                "/admin/projects/project/",
                "/v1/docs",
            ],
        )

    assert found == ""


def set_up(context: BrowserContext, server: Server) -> None:
    """The first admin with a passkey, so that the session is verified; an invite waits."""
    page = context.new_page()
    Device.of(page)
    page.goto(server.sign_in_link())
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url("**/errors")
    server.home.manage_json("createinvite", env=server.env)
    page.close()
