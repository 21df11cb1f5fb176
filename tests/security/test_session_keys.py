"""A session key is new each time somebody gets in, the one before is dead, and its cookie tells scripts nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE
from accounts.models import Session
from accounts.secret import hashed
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from accounts.services.recovery import make_recovery_codes
from tests.access import World
from tests.accounts.ceremony import finish, give_passkey, sign_in, start
from tests.authenticator import Authenticator

ROOT = Path(__file__).resolve().parent.parent.parent
PLANTED = "chosen-by-the-attacker-and-43-characters-xx"


Enter = Callable[[Client], Any]  # what the visitor does, with their browser, once it is possible
pytestmark = pytest.mark.usefixtures("unhurried")


def by_link(world: World) -> Enter:
    link = issue_login_link(username="victim", now=timezone.now())
    return lambda client: client.post(f"/auth/link/{link.token}")


def by_invite(world: World) -> Enter:
    invite = issue_invite(role="member", created_by=None, now=timezone.now())
    return lambda client: client.post(f"/auth/invite/{invite.token}", {"username": "kim"})


def by_recovery_page(world: World) -> Enter:
    codes = make_recovery_codes(user=world.users["victim"], actor=COMMAND_LINE, now=timezone.now())
    return lambda client: client.post("/auth/recover", {"username": "victim", "code": codes[0]})


def by_passkey(world: World) -> Enter:
    device = Authenticator()
    give_passkey(world.users["victim"], device)
    return lambda client: sign_in(client, device)


def by_invite_and_passkey(world: World) -> Enter:
    invite = issue_invite(role="member", created_by=None, now=timezone.now())

    def join(client: Client) -> Any:
        challenge_id, options = start(client, "invite/register", username="kim", invite_token=invite.token)
        credential = Authenticator().create(options)
        return finish(client, "invite/register", challenge_id, credential, invite_token=invite.token)

    return join


WAYS = {
    "link": by_link,
    "invite": by_invite,
    "recovery code": by_recovery_page,
    "passkey": by_passkey,
    "invite with a passkey": by_invite_and_passkey,
}


def reads(cookie: str) -> int:
    """What somebody with this cookie gets of a page."""
    return Client().get("/settings/account", headers={"Cookie": f"session={cookie}"}).status_code


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_key_is_not_what_the_visitor_signs_in_under(way: str, world: World):
    enter = WAYS[way](world)
    victim = Client()
    victim.cookies["session"] = PLANTED

    assert enter(victim).status_code in (200, 302)

    key = victim.cookies["session"].value
    assert key != PLANTED
    assert reads(key) == 200
    assert reads(PLANTED) == 303
    assert not Session.objects.filter(key_hash=hashed(PLANTED)).exists()


@pytest.mark.parametrize("way", WAYS)
def test_a_key_the_attacker_had_before_is_dead_after(way: str, world: World):
    """The attacker begins a ceremony, plants its real, anonymous session, and waits for the visitor to sign in."""
    attacker = Client()
    assert attacker.post("/auth/login/start", "{}", "application/json").status_code == 200
    theirs = attacker.cookies["session"].value
    enter = WAYS[way](world)
    victim = Client()
    victim.cookies["session"] = theirs

    assert enter(victim).status_code in (200, 302)

    assert victim.cookies["session"].value != theirs
    assert reads(theirs) == 303
    assert reads(victim.cookies["session"].value) == 200


@pytest.mark.parametrize("way", WAYS)
def test_who_gets_in_as_another_leaves_nothing_of_themselves(way: str, world: World):
    enter = WAYS[way](world)
    client = Client()
    client.cookies["session"] = before = world.cookies["verified"]

    assert enter(client).status_code in (200, 302)

    row = Session.objects.get(key_hash=hashed(client.cookies["session"].value))
    assert row.user != world.users["verified"]
    assert reads(before) == 303, "the session they had is over"
    assert client.get("/admin/").status_code != 200, "and so is what it was verified for"


@pytest.mark.parametrize("way", WAYS)
def test_each_sign_in_has_a_key_of_its_own(way: str, world: World):
    keys: set[str] = set()
    for _ in range(3):
        client = Client()
        client.cookies["session"] = PLANTED
        if way.startswith("invite") and keys:
            break
        WAYS[way](world)(client)
        keys.add(client.cookies["session"].value)

    assert all(len(key) == 43 for key in keys)
    assert len(keys) == (1 if way.startswith("invite") else 3)


def test_proving_oneself_again_changes_the_key(world: World):
    codes = make_recovery_codes(user=world.users["victim"], actor=COMMAND_LINE, now=timezone.now())
    client = Client()
    client.cookies["session"] = before = world.cookies["victim"]

    assert client.post("/auth/verify", {"code": codes[0]}).status_code == 302

    assert client.cookies["session"].value != before
    assert reads(before) == 303
    assert reads(client.cookies["session"].value) == 200


@pytest.mark.parametrize("path", ["/auth/sign-out", "/auth/logout"])
def test_a_key_is_dead_once_its_browser_is_signed_out(path: str, world: World):
    client = Client()
    client.cookies["session"] = before = world.cookies["member"]

    assert client.post(path).status_code in (200, 302)

    assert reads(before) == 303
    assert client.cookies["session"].value == ""
    assert client.cookies["session"]["max-age"] == 0


# --- The cookie -------------------------------------------------------------------------------------------------------


def cookie_after(way: str, world: World) -> "Morsel[str]":
    client = Client()
    WAYS[way](world)(client)
    return client.cookies["session"]


@pytest.mark.parametrize("way", WAYS)
def test_the_cookie_is_for_the_browser_and_this_site_alone(way: str, world: World):
    cookie = cookie_after(way, world)

    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == 604_800
    assert cookie["domain"] == "", "no other host of the domain gets it"
    assert not cookie["secure"], "the tests' origin is http://localhost"


@pytest.mark.parametrize("way", WAYS)
def test_the_lifetime_of_the_cookie_is_the_rows(way: str, world: World, settings: LazySettings):
    settings.SESSION_COOKIE_AGE = 3_600

    cookie = cookie_after(way, world)

    row = Session.objects.get(key_hash=hashed(cookie.value))
    assert cookie["max-age"] == 3_600
    assert (row.expires_at - row.created_at).total_seconds() == pytest.approx(3_600, abs=2)


ORIGINS = [
    ("http://localhost:5332", "localhost", False),
    ("http://127.0.0.1:5332", "127.0.0.1", False),
    ("http://[::1]:5332", "::1", False),
    ("https://errors.example.com", "errors.example.com", True),
    ("https://errors.example.com:8443", "example.com", True),
    ("http://errors.example.com", "errors.example.com", True),
]


@pytest.mark.parametrize(("origin", "rp_id", "is_secure"), ORIGINS)
def test_cookies_are_for_https_alone_unless_the_origin_is_this_machine(origin: str, rp_id: str, is_secure, tmp_path):
    told = settings_under(origin, rp_id, tmp_path)

    assert told["session"] is is_secure
    assert told["csrf"] is is_secure
    assert told["httponly"] is True
    assert told["samesite"] == "Lax"
    assert told["domain"] is None
    assert told["name"] == "session"


def settings_under(origin: str, rp_id: str, folder: Path) -> dict[str, Any]:
    """What the settings say under another origin: they are read once a process."""
    script = (
        "import json; from bloop_site import settings as s; print(json.dumps({"
        "'session': s.SESSION_COOKIE_SECURE, 'csrf': s.CSRF_COOKIE_SECURE, 'httponly': s.SESSION_COOKIE_HTTPONLY,"
        "'samesite': s.SESSION_COOKIE_SAMESITE, 'domain': getattr(s, 'SESSION_COOKIE_DOMAIN', None),"
        "'name': s.SESSION_COOKIE_NAME, 'hsts': s.SECURE_HSTS_SECONDS}))"
    )
    env = {
        "PATH": os.environ["PATH"],
        "BLOOP__DATABASE__PATH": str(folder / "bloop.db"),
        "BLOOP__AUTH__RP_ORIGIN": origin,
        "BLOOP__AUTH__RP_ID": rp_id,
    }
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
