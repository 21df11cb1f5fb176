"""People get in with passkeys, by the true ceremonies: a real browser, a virtual authenticator, the whole server."""

import json
import re
import uuid

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.journeys.browser import Complaints, Device, visit
from tests.journeys.server import Home, Server, serving, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.browser]
JSON = {"Content-Type": "application/json"}
NOTE_REQUESTS = """
const get = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = (options) => {
  (window.asked ??= []).push(options.mediation ?? "prompt");
  return get(options);
};
"""


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def team(shared_server: Server) -> Server:
    """A server on which somebody has an account already."""
    if not shared_server.cookie:
        shared_server.sign_in()
    return shared_server


# --- What people do -------------------------------------------------------------------------------------------------


def somebody() -> str:
    """A name of this journey's own."""
    return f"p{uuid.uuid4().hex[:10]}"


def invite(server: Server) -> str:
    """The path of a new invite."""
    answer = server.request("POST", "/v1/admin/invites", "{}", {"Cookie": server.cookie, **JSON})
    assert answer.status == 200, answer.text
    return f"/auth/login?invite={answer.json['token']}"


def join(page: Page, server: Server, name: str) -> None:
    """Accept an invite with a passkey."""
    page.goto(invite(server))
    page.get_by_label("Your name here").fill(name)
    page.get_by_role("button", name="Create a passkey and join").click()
    is_in(page, name)


def is_in(page: Page, name: str) -> None:
    """The page is behind sign-in, and says as whom."""
    expect(page.get_by_title(f"Signed in as {name}")).to_be_attached()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def try_to_sign_in(page: Page, name: str = "") -> None:
    """Open the sign-in page and press its button."""
    page.goto("/auth/login")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Sign in with a passkey").click()


def refusal(page: Page) -> Locator:
    """What the page says went wrong."""
    return page.get_by_role("alert")


def signature_count(device: Device) -> int:
    """How often the only passkey of the device has signed."""
    (passkey,) = device.passkeys
    return int(passkey["signCount"])


# --- Getting in -----------------------------------------------------------------------------------------------------


def test_the_first_admin_gets_in_by_the_printed_link_and_again_with_the_passkey(server: Server, complaints: Complaints):
    with visit(server, complaints) as page:
        device = Device.of(page)
        page.goto("/")
        expect(page.get_by_role("heading", name="Set up Bloop")).to_be_visible()

        page.goto(server.sign_in_link())
        expect(page.get_by_label("Your name here")).to_have_value("admin")
        page.get_by_label("Your name here").fill("ann")
        page.get_by_role("button", name="Create a passkey").click()
        is_in(page, "ann")
        assert server.home.query("SELECT role FROM accounts_user") == "admin"

        for name in ("ann", ""):
            sign_out(page)
            signed = signature_count(device)
            try_to_sign_in(page, name)
            is_in(page, "ann")
            assert signature_count(device) == signed + 1
    assert complaints.heard == []


def test_the_browser_offers_the_passkey_in_the_name_field(team: Server, complaints: Complaints):
    name = somebody()
    with visit(team, complaints, offers=True) as page:
        Device.of(page)
        join(page, team, name)
        page.context.clear_cookies()

        page.goto("/errors?q=nothing")  # the virtual authenticator takes the offer up at once

        page.wait_for_url("**/errors?q=nothing")
        is_in(page, name)
    assert complaints.heard == []


def test_the_button_works_while_the_browser_offers_a_passkey(team: Server):
    name = somebody()
    with visit(team, offers=True) as page:
        device = Device.of(page)
        join(page, team, name)
        page.context.clear_cookies()
        device.send("setAutomaticPresenceSimulation", enabled=False)  # nobody takes the offer up
        page.add_init_script(NOTE_REQUESTS)
        page.goto("/auth/login")
        wait_until(lambda: page.evaluate("window.asked?.includes('conditional')"), what="the browser's offer")

        device.send("setAutomaticPresenceSimulation", enabled=True)
        page.get_by_role("button", name="Sign in with a passkey").click()

        is_in(page, name)


def test_the_offer_is_renewed_before_its_challenge_ends(team: Server):
    with visit(team, offers=True) as page:
        device = Device.of(page)
        join(page, team, somebody())
        page.context.clear_cookies()
        device.send("setAutomaticPresenceSimulation", enabled=False)
        page.clock.install()
        with page.expect_response("**/auth/login/start"):
            page.goto("/auth/login")

        with page.expect_response("**/auth/login/start") as renewed:
            page.clock.run_for(90_000)

        assert renewed.value.status == 200


def test_an_invite_lets_a_second_person_in_with_a_passkey(team: Server, complaints: Complaints):
    name = somebody()
    with visit(team, complaints) as page:
        Device.of(page)
        join(page, team, name)
        assert team.home.query(f"SELECT role FROM accounts_user WHERE username = '{name}'") == "member"

        sign_out(page)
        try_to_sign_in(page)
        is_in(page, name)
    assert complaints.heard == []


def test_an_invite_lets_somebody_in_without_a_passkey_and_without_javascript(team: Server, complaints: Complaints):
    name = somebody()
    with visit(team, complaints, scripts=False) as page:
        page.goto(invite(team))
        expect(page.get_by_role("button", name="Create a passkey and join")).to_be_hidden()
        page.get_by_label("Your name here").fill(name)
        page.get_by_role("button", name="Join without a passkey for now").click()
        is_in(page, name)

        page.context.clear_cookies()
        page.goto("/auth/login")
        expect(page.get_by_text("Passkeys need JavaScript")).to_be_visible()
        expect(page.get_by_role("link", name="Use a recovery code")).to_be_visible()
    assert complaints.heard == []


def test_next_survives_the_ceremony(team: Server):
    name = somebody()
    with visit(team) as page:
        Device.of(page)
        join(page, team, name)
        page.context.clear_cookies()

        page.goto("/errors?q=wanted")
        page.get_by_role("button", name="Sign in with a passkey").click()

        page.wait_for_url("**/errors?q=wanted")
        is_in(page, name)


# --- More passkeys, fewer passkeys ----------------------------------------------------------------------------------


def test_a_second_passkey_signs_in_and_a_removed_one_does_not(team: Server):
    name = somebody()
    with visit(team) as page:
        first = Device.of(page)
        join(page, team, name)
        (old,) = first.passkeys
        first.remove()
        second = Device.of(page)
        page.goto("/settings/account")
        page.get_by_label("Add another passkey").fill("Phone")
        page.get_by_role("button", name="Add passkey").click()
        row = page.get_by_role("row").filter(has_text="Phone")
        expect(row).to_be_visible()
        signed = signature_count(second)

        sign_out(page)
        try_to_sign_in(page, name)
        is_in(page, name)
        assert signature_count(second) > signed

        page.goto("/settings/account")
        row = page.get_by_role("row").filter(has=page.get_by_text("Rename", exact=False)).filter(has_not_text="Phone")
        row.get_by_text("Remove", exact=False).first.click()
        row.get_by_role("button", name="Remove passkey").click()
        expect(page.get_by_role("row").filter(has_text="Phone")).to_be_visible()
        second.remove()
        page.context.clear_cookies()

        Device.of(page, old)
        try_to_sign_in(page)
        expect(refusal(page)).to_contain_text("This passkey was not accepted")


def test_a_copied_passkey_is_refused(team: Server):
    name = somebody()
    with visit(team) as page:
        device = Device.of(page)
        join(page, team, name)
        (copied,) = device.passkeys
        sign_out(page)
        try_to_sign_in(page)
        is_in(page, name)
        assert signature_count(device) > copied["signCount"]
        page.context.clear_cookies()
        device.remove()

        Device.of(page, copied)
        try_to_sign_in(page)

        expect(refusal(page)).to_contain_text("This passkey was not accepted")
        assert team.home.query(
            f"SELECT count(*) FROM accounts_auditentry WHERE action = 'passkey_refused' AND actor_name = '{name}'"
        )


def test_the_same_device_is_not_asked_for_a_second_passkey_of_one_account(team: Server):
    with visit(team) as page:
        Device.of(page)
        join(page, team, somebody())
        page.goto("/settings/account")
        page.get_by_role("button", name="Add passkey").click()

        expect(refusal(page)).to_contain_text("This device already has a passkey for this account")


# --- What goes wrong is said on the page ----------------------------------------------------------------------------


def test_a_cancelled_prompt_is_explained_and_the_next_try_works(team: Server):
    name = somebody()
    with visit(team) as page:
        device = Device.of(page)
        device.know_its_person(known=False)
        page.goto(invite(team))
        page.get_by_label("Your name here").fill(name)
        page.get_by_role("button", name="Create a passkey and join").click()
        expect(refusal(page)).to_contain_text("The prompt was closed, or it took too long")
        expect(page.get_by_label("Your name here")).to_have_value(name)

        device.know_its_person(known=True)
        page.get_by_role("button", name="Create a passkey and join").click()
        is_in(page, name)

        sign_out(page)
        device.know_its_person(known=False)
        try_to_sign_in(page)
        expect(refusal(page)).to_contain_text("The prompt was closed, or it took too long")
        device.know_its_person(known=True)
        page.get_by_role("button", name="Sign in with a passkey").click()
        is_in(page, name)


def too_late(route: Route) -> None:
    """Finish a ceremony by an id the server does not know: two minutes later it knows the true one as little."""
    body = json.loads(route.request.post_data or "")
    route.continue_(post_data=json.dumps({**body, "challenge_id": "x" * 43}))


def test_a_challenge_that_ran_out_is_explained(team: Server):
    name = somebody()
    with visit(team) as page:
        Device.of(page)
        join(page, team, name)
        sign_out(page)
        page.route("**/auth/login/finish", too_late)
        try_to_sign_in(page)
        expect(refusal(page)).to_contain_text("That took longer than two minutes")

        page.unroute("**/auth/login/finish")
        page.get_by_role("button", name="Sign in with a passkey").click()
        is_in(page, name)


def test_a_passkey_the_server_did_not_take_is_forgotten_by_the_device(team: Server):
    with visit(team) as page:
        device = Device.of(page)
        page.goto(invite(team))
        page.get_by_label("Your name here").fill(somebody())
        page.route("**/auth/invite/register/finish", too_late)
        page.get_by_role("button", name="Create a passkey and join").click()
        expect(refusal(page)).to_contain_text("That took longer than two minutes")

        wait_until(lambda: device.passkeys == [], what="the device to forget its passkey")


def test_a_name_that_is_taken_is_said_before_the_device_is_asked(team: Server):
    with visit(team) as page:
        device = Device.of(page)
        page.goto(invite(team))
        page.get_by_label("Your name here").fill("admin")
        page.get_by_role("button", name="Create a passkey and join").click()

        expect(refusal(page)).to_contain_text("That name is taken")
        assert device.passkeys == []


def test_another_address_is_explained_and_led_back(team: Server):
    with visit(team) as page:
        Device.of(page)
        page.goto(f"http://127.0.0.1:{team.port}/auth/login?next=/errors")
        expect(refusal(page).first).to_contain_text(f"Passkeys work at {team.origin} only")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.locator("[data-passkey-error]")).to_contain_text(f"Passkeys work at {team.origin} only")

        page.get_by_role("link", name="Open this page at").click()
        page.wait_for_url(f"{team.origin}/auth/login?next=/errors")
        expect(refusal(page)).to_have_count(0)


def test_a_server_out_of_reach_is_explained_and_the_next_try_works(team: Server):
    name = somebody()
    with visit(team) as page:
        Device.of(page)
        join(page, team, name)
        sign_out(page)
        page.context.set_offline(True)
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(refusal(page)).to_contain_text("The server could not be reached")

        page.context.set_offline(False)
        page.get_by_role("button", name="Sign in with a passkey").click()
        is_in(page, name)


def test_a_browser_without_passkeys_is_told_so(team: Server):
    with visit(team) as page:
        page.add_init_script("delete window.PublicKeyCredential;")
        try_to_sign_in(page)

        expect(refusal(page)).to_contain_text("This browser knows no passkeys")


def test_too_many_attempts_are_told_how_long_to_wait(home: Home):
    limits = {"BLOOP__RATE_LIMIT__AUTH_PER_SECOND": "0.05", "BLOOP__RATE_LIMIT__AUTH_BURST_SIZE": "2"}
    with serving(home, **limits) as slow, visit(slow) as page:
        page.goto(slow.sign_in_link())  # the first of two attempts asks whether it works, this is the second
        page.get_by_role("button", name="Create a passkey").click()

        expect(refusal(page)).to_contain_text(re.compile(r"Too many attempts\. Try again in \d+ seconds\."))
