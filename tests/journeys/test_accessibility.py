"""Every page so far under axe-core, light and dark, on a desk and on a phone: nothing serious or critical."""

import re
import time
import uuid
from importlib.resources import files
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.journeys.browser import Device, chromium
from tests.journeys.server import Home, Server, serving, signed

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.screen]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SERIOUS = {"serious", "critical"}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
Looks = list[tuple[Literal["light", "dark"], int]]
LOOKS: Looks = [(theme, width) for theme in THEMES for width in (1440, 390)]
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


def problems(page: Page, path: str, *, status: int = 200, looks: Looks = LOOKS) -> list[str]:
    """The violations of one page in every look, and whether it is wider than the screen."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status, f"{path} answered {answer.status}"
    page.wait_for_load_state("networkidle")
    return problems_here(page, path, looks=looks)


def problems_here(page: Page, path: str, *, looks: Looks = LOOKS) -> list[str]:
    """The same of the page that is open, called `path`."""
    found = []
    for theme, width in looks:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{path} {theme} {width}: {each}" for each in violations(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path} {theme} {width}: {wide} px wide"] if wide > width else []
    return found


def all_problems(context: BrowserContext, paths: list[str]) -> str:
    """The violations of all these pages, a line each."""
    page = context.new_page()
    gone = ("/auth/link/x", "/auth/invite/x")
    return "\n".join(each for path in paths for each in problems(page, path, status=410 if path in gone else 200))


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
                "/settings/projects/shop/sourcemaps",
                "/auth/verify?next=/admin/",
                "/v1/docs",
            ],
        )

    assert found == ""


def test_the_pages_of_llm_tracing_have_no_serious_problem(home: Home):
    looks = [LOOKS[0], LOOKS[-1]]
    with serving(home, BLOOP__LLM_TRACING__DEFAULT_CONTENT_STORAGE="full") as server, chromium() as browser:
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)
        page = context.new_page()
        found = problems(page, "/llm/traces", looks=looks)  # as long as nothing was sent
        found += problems(page, "/llm/search", looks=looks)
        send_judged_trace(server)
        answers = "?project=shop"
        pages = ["", "/usage", "/latency", "/models", "/traces", "/prompts", "/scores", "/sessions", "/tools", "/rag"]
        for each in [*pages, "/feedback"]:
            found += problems(page, f"/llm{each}{answers}", looks=looks)
        found += problems(page, "/llm/search?q=refund", looks=looks)
        now = int(time.time() * 1000)
        found += problems(page, f"/llm?project=shop&from={now - 3_600_000}&to={now}", looks=looks)
        page.get_by_role("slider", name="Tokens").focus()
        page.keyboard.press("Shift+ArrowLeft")
        found += problems_here(page, "hours being chosen by keys", looks=looks)
        found += problems(page, "/llm/prompt?name=greet&v1=1&v2=2", looks=looks)
        found += problems(page, "/llm/session?project=shop&id=talk", looks=looks)
        found += problems(page, "/llm/scores?name=accuracy", looks=looks)
        found += problems(page, "/llm/trace/shop?id=judged&span=ask", looks=looks)
        found += problems(page, "/settings/projects/shop/llm", looks=looks)

    assert "\n".join(found) == ""


def test_the_pages_of_alerts_have_no_serious_problem(home: Home):
    looks = [LOOKS[0], LOOKS[-1]]
    with serving(home) as server, chromium() as browser:
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)
        page = context.new_page()
        found = [each for path in ("/alerts", "/alerts/history") for each in problems(page, path, looks=looks)]
        for kind in (
            "new_issue",
            "threshold",
            "spike",
            "llm_cost_spike",
            "llm_error_rate",
            "llm_latency",
            "llm_budget",
        ):
            found += problems(page, f"/alerts/new?kind={kind}", looks=looks)
        page.get_by_text("E-mail", exact=True).click()
        page.get_by_label("Address").fill("ann@example.com")
        page.get_by_role("button", name="Save rule").click()
        page.wait_for_url(re.compile(r"/alerts/\d+$"))
        rule = page.url.rpartition("/")[2]
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.locator("#tested")).to_contain_text("Failed")
        found += problems_here(page, "a tested rule", looks=looks)
        for path in ("/alerts", f"/alerts/{rule}", f"/alerts/{rule}/edit"):
            found += problems(page, path, looks=looks)

    assert "\n".join(found) == ""


def test_the_pages_of_insights_have_no_serious_problem(home: Home):
    looks = [LOOKS[0], LOOKS[-1]]
    with serving(home) as server, chromium() as browser:
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)
        page = context.new_page()
        pages = ["", "/movers", "/correlations", "/releases", "/environments"]
        found = [
            each for path in pages for each in problems(page, f"/insights{path}", looks=looks)
        ]  # with nothing sent
        sent = server.home.manage(
            "shell", "--command", TWENTY_HOURS, env=server.env
        )  # no client can send into the past
        assert sent.returncode == 0, sent.stderr
        for path in pages:
            page.goto(f"/insights{path}?hours=168&project=shop")
            found += problems_here(page, f"/insights{path}", looks=looks)
            if path in pages[:3]:
                page.locator(".insight-toggle").first.click()
                expect(page.locator(".insight-opened .uplot")).to_be_visible()
                found += problems_here(page, f"/insights{path}, opened", looks=looks)
        found += problems(page, "/insights?method=classic", looks=looks)
        found += problems(page, "/insights/movers?environment=nowhere", looks=looks)

    assert "\n".join(found) == ""


TWENTY_HOURS = """
from bloop_site.lib.clock import HOUR_MS, now_ms
from projects.models import Project
from tests.factories import event_json, record

for name, release, environment in (("Burst", "1.0", "production"), ("Twin", "1.1", "staging")):
    for ago, times in {0: 25, **dict.fromkeys(range(1, 20), 1)}.items():
        event = event_json(error_type=name, release=release, environment=environment)
        record(Project.objects.get(slug="shop"), *[event] * times, received_ms=now_ms() - ago * HOUR_MS)
"""


def send_judged_trace(server: Server) -> None:
    """A trace that gives every page of the section something to show."""
    now = int(time.time() * 1000)
    told = {"rag.chunks_retrieved": 8, "rag.chunks_used": 3, "rag.relevance_scores": [0.9], "rag.source": "help"}
    asked = '[{"role": "user", "content": "Where is my refund?"}, {"role": "assistant", "content": "On its way."}]'
    spans = [
        {"id": "find", "span_type": "retrieval", "name": "kb.search", "latency_ms": 40, "metadata": told},
        {
            "id": "call",
            "span_type": "tool",
            "name": "lookup",
            "latency_ms": 90,
            "status": "error",
            "error_message": "no",
        },
        {
            "id": "ask",
            "name": "answer",
            "model": "nobodys-model",
            "input_tokens": 90,
            "output_tokens": 9,
            "latency_ms": 700,
            "time_to_first_token_ms": 200,
            "input": asked,
            "output": "On its way.",
        },
    ]
    trace = {
        "id": "judged",
        "name": "support",
        "session_id": "talk",
        "user_id": "ann",
        "started_at": now,
        "spans": spans,
    }
    sent = {**trace, "ended_at": now + 900, "prompt_name": "greet", "prompt_version": "1", "input": asked}
    assert server.post("/v1/traces", sent).status == 200
    score = {"name": "accuracy", "value": 0.4}
    assert server.post("/v1/llm/traces/judged/scores", score).status == 200
    assert server.post("/v1/llm/traces/judged/feedback", {"value": -1, "comment": "Slow"}).status == 200
    server.wait_until_drained()


def test_every_page_of_the_django_admin_has_no_serious_problem(home: Home):
    looks = [LOOKS[0], LOOKS[-1]]
    with serving(home) as server, chromium() as browser:
        server.send(error_type="Administered")
        server.wait_for("Administered")
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)
        page = context.new_page()
        found = problems(page, "/admin/", looks=looks)
        lists = hrefs(page, ".admin-models__link")
        assert len(lists) == 16, lists
        pages = [*lists, *hrefs(page, ".admin-models__link + .button")]
        for path in lists:
            found += problems(page, path, looks=looks)
            rows = [row for row in hrefs(page, "table a") if row.endswith("/change/") and "/default/" not in row]
            pages += [row.replace("/change/", f"/{kind}/") for row in rows[:1] for kind in ("change", "history")]
        pages += [path.replace("/change/", "/delete/") for path in pages if path.startswith("/admin/projects/project/")]
        seen = list(dict.fromkeys(path for path in pages if path not in lists))
        assert len(seen) >= 20, seen
        for path in seen:
            found += problems(page, path, looks=looks)

    assert "\n".join(found) == ""


def test_pages_in_passing_states_have_no_serious_problem(home: Home):
    with serving(home) as server, chromium() as browser:
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)
        page = context.new_page()
        found = []

        page.goto("/settings/projects")
        page.get_by_text("New project", exact=True).click()
        page.get_by_label("Name", exact=True).fill("Parcel")
        page.get_by_label("Slug").fill("parcel")
        page.get_by_role("button", name="Create project").click()
        expect(page.get_by_text("Waiting for the first event…")).to_be_visible()
        found += problems_here(page, "a project with a fresh key")
        key = page.locator("#fresh-key").inner_text()

        page.goto("/errors?project=parcel")
        found += problems_here(page, "an empty project")
        assert server.request("POST", "/v1/ingest", b"{}", {"X-Project-Key": key, "X-Signature": "00"}).status == 401
        page.locator("details.refused summary").click()
        found += problems_here(page, "an empty project and a refusal")
        found += problems(page, "/settings/projects/parcel")
        body = b'{"error_type":"TypeError","message":"x is undefined"}'
        assert server.request("POST", "/v1/ingest", body, {**signed(body, key), "X-Project-Key": key}).status == 200
        page.goto("/errors?project=parcel")
        expect(page.get_by_text("See all errors").or_(page.locator("tr[data-row]")).first).to_be_visible()
        found += problems_here(page, "arrived")
        page.goto("/errors?project=parcel")
        page.locator("details.refused summary").click()
        found += problems_here(page, "the list with what was refused")

        page.goto("/settings/account")
        page.get_by_role("button", name="Make recovery codes").click()
        expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
        found += problems_here(page, "recovery codes")

        with server.worker_asleep():
            page.goto("/settings/projects/parcel")
            page.locator("#delete_name").fill("Parcel")
            page.get_by_role("button", name="Delete project").click()
            expect(page.get_by_text("Removing Parcel")).to_be_visible()
            found += problems_here(page, "a running removal")

    assert "\n".join(found) == ""


def test_pages_that_refuse_have_no_serious_problem(home: Home):
    slow = {"BLOOP__RATE_LIMIT__AUTH_PER_SECOND": "0.01", "BLOOP__RATE_LIMIT__AUTH_BURST_SIZE": "5"}
    with serving(home, **slow) as server, chromium() as browser:
        context = browser.new_context(base_url=server.origin, bypass_csp=True)
        set_up(context, server)
        page = context.new_page()
        found = problems(page, "/nowhere", status=404)
        found += problems(page, f"http://elsewhere.localhost:{server.port}/errors", status=400)
        found += posted(page, "/settings/projects", status=403)
        found += posted(page, "/settings/projects", length=1024 * 1024, status=413)
        context.clear_cookies()
        for _ in range(10):
            page.goto("/auth/recover")
        expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
        found += problems_here(page, "429")

    assert "\n".join(found) == ""


def posted(page: Page, path: str, *, status: int, length: int = 1) -> list[str]:
    """The problems of the answer to a form without a token, with a text of `length`."""
    page.goto("/errors")
    with page.expect_navigation() as answered:
        page.evaluate(
            """([path, length]) => {
                const form = document.createElement("form"), text = document.createElement("textarea");
                [form.method, form.action, text.name, text.value] = ["post", path, "x", "x".repeat(length)];
                form.append(text);
                document.body.append(form);
                form.submit();
            }""",
            [path, length],
        )
    assert answered.value is not None
    assert answered.value.status == status
    return problems_here(page, f"{path} {status}")


def hrefs(page: Page, selector: str) -> list[str]:
    """Where these links lead, without the origin and the query."""
    found: list[str] = page.eval_on_selector_all(selector, "(links) => links.map((link) => link.pathname)")
    return found


def set_up(context: BrowserContext, server: Server) -> None:
    """The first admin with a passkey, so that the session is verified; an invite waits."""
    page = context.new_page()
    Device.of(page)
    page.goto(server.sign_in_link())
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url("**/errors")
    server.home.manage_json("createinvite", env=server.env)
    page.close()
