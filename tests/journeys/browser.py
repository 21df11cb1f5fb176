"""A browser for a journey: the system's Chromium, what its pages complain about, and a virtual authenticator in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    Request,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.journeys.server import Server

PATIENCE_MS = 20_000  # of a click or an expectation on a busy machine; Playwright expects within 5 s
expect.set_options(timeout=PATIENCE_MS)
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
# A virtual authenticator takes up the offer in the name field at once, so the button could never be pressed.
NO_OFFERS = "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false;"


@dataclass
class Complaints:
    """Everything a page was unhappy about."""

    heard: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        context.on("console", lambda said: self.heard.append(said.text) if said.type in ("error", "warning") else None)
        context.on("weberror", lambda error: self.heard.append(str(error.error)))
        context.on("requestfailed", self.look_at_failure)
        context.on("response", self.look_at)

    def look_at_failure(self, request: Request) -> None:
        """Chromium aborts what a page still loads when one leaves it; every other failure counts."""
        if request.failure != "net::ERR_ABORTED":
            self.heard.append(f"{request.url} {request.failure}")

    def look_at(self, response: Response) -> None:
        if response.status >= 400:
            self.heard.append(f"{response.status} {response.url}")


# Not a fixture of a wider scope: while Playwright's synchronous API is open, a running event loop is in this thread,
# and Django refuses its database to every test that follows.
@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    server: Server, complaints: Complaints | None = None, *, scripts: bool = True, offers: bool = False
) -> Iterator[Page]:
    """A page of a fresh browser, at the server's front door. offers: whether it can offer passkeys in a field."""
    with chromium() as browser:
        context = browser.new_context(base_url=server.origin, viewport=DESK, java_script_enabled=scripts)
        context.set_default_timeout(PATIENCE_MS)
        if scripts:
            context.add_init_script(NOTE_VIOLATIONS if offers else NOTE_VIOLATIONS + NO_OFFERS)
        if complaints:
            complaints.listen(context)
        yield context.new_page()
        context.close()


@dataclass
class Device:
    """A virtual authenticator that holds passkeys and checks its person (CDP's WebAuthn domain)."""

    page: Page
    cdp: CDPSession
    id: str

    @classmethod
    def of(cls, page: Page, *credentials: dict[str, Any]) -> "Device":
        """One built into the machine that shows `page`, with these passkeys."""
        cdp = page.context.new_cdp_session(page)
        cdp.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        device = cls(page, cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"])
        for credential in credentials:
            device.send("addCredential", credential=credential)
        return device

    def send(self, command: str, **values: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.cdp.send(f"WebAuthn.{command}", {"authenticatorId": self.id, **values})
        return answer

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        """Its passkeys with their secrets and counters, as `of` takes them."""
        found: list[dict[str, Any]] = self.send("getCredentials")["credentials"]
        return found

    def know_its_person(self, *, known: bool) -> None:
        """Whether fingerprint, face or PIN are right from now on; if not, the prompt ends as if it was cancelled."""
        self.send("setUserVerified", isUserVerified=known)

    def remove(self) -> None:
        """Take it away, passkeys and all."""
        self.send("removeVirtualAuthenticator")
