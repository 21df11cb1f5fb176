"""Sessions: two cookie names, a hash at rest, an absolute end, rows inserted by hand (contract 5.4, design.md 3)."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import LazySettings, settings
from django.test import Client
from django.utils import timezone

from accounts.models import Session, User
from accounts.services.links import issue_login_link
from tests.factories import make_user


def sign_in(client: Client, user: User) -> str:
    """Sign in through a link; the value of the session cookie."""
    link = issue_login_link(username=user.username, now=timezone.now())
    assert client.post(f"/auth/link/{link.token}").status_code == 302
    return str(client.cookies["session"].value)


def by_hand(user: User, value: str, *, lives: timedelta = timedelta(hours=1), data: str = "") -> None:
    """A row as the original's seed and test scripts insert it."""
    now = timezone.now()
    digest = hashlib.sha256(value.encode()).hexdigest()
    Session.objects.create(key_hash=digest, user=user, data=data, created_at=now, expires_at=now + lives)


def status_with(cookie: str) -> int:
    return Client().get("/errors", headers={"Cookie": cookie}).status_code


def test_signing_in_sets_a_cookie_named_session_that_scripts_cannot_read(admin: User, client: Client):
    sign_in(client, admin)

    cookie = client.cookies["session"]
    assert len(cookie.value) == 43
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == 604_800
    assert not cookie["secure"], "the tests' origin is localhost"


def test_only_the_sha256_of_the_cookie_is_kept(admin: User, client: Client):
    value = sign_in(client, admin)

    row = Session.objects.get()
    assert row.key_hash == hashlib.sha256(value.encode()).hexdigest()
    assert value not in row.data
    assert row.user == admin


@pytest.mark.parametrize("name", ["session", "bloop_session"])
def test_a_row_inserted_by_hand_is_a_signed_in_session_under_both_names(name: str, admin: User):
    by_hand(admin, "made-by-a-script")

    assert status_with(f"{name}=made-by-a-script") == 200
    assert Client().get("/v1/errors", headers={"Cookie": f"{name}=made-by-a-script"}).status_code == 200


def test_our_own_cookie_counts_when_both_are_sent(admin: User):
    by_hand(admin, "good-one")

    assert status_with("bloop_session=stale-one; session=good-one") == 200
    assert status_with("bloop_session=good-one; session=stale-one") == 303


@pytest.mark.parametrize("value", ["unknown", "", "é", "a" * 5000, '"; drop'])
def test_a_cookie_nobody_issued_opens_nothing(value: str, admin: User):
    assert status_with(f"session={value}") == 303


def test_a_row_without_a_user_is_nobody(admin: User):
    by_hand(admin, "by-hand-x")
    assert status_with("session=by-hand-x") == 200
    Session.objects.update(user=None)

    assert status_with("session=by-hand-x") == 303


def test_data_that_names_another_user_does_not_count(admin: User):
    mia = make_user(username="mia")
    client = Client()
    sign_in(client, admin)
    forged = Session.objects.get().data
    by_hand(mia, "by-hand-x", data=forged)

    answer = Client().get("/errors", headers={"Cookie": "session=by-hand-x"})

    assert answer.context["frame"].username == "mia"


@pytest.mark.parametrize("data", ["garbage", "e30:bad:signature"])
def test_data_that_cannot_be_read_counts_as_none(data: str, admin: User):
    by_hand(admin, "by-hand-x", data=data)

    assert status_with("session=by-hand-x") == 200


def test_a_session_ends_at_its_time_however_busy_it_was(admin: User, client: Client):
    sign_in(client, admin)
    ends = Session.objects.get().expires_at
    assert ends - Session.objects.get().created_at == timedelta(seconds=604_800)

    for _ in range(3):
        assert client.get("/errors").status_code == 200
    assert Session.objects.get().expires_at == ends
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert client.get("/errors").status_code == 303


def test_an_ended_session_is_refused_by_the_api_by_name(admin: User):
    by_hand(admin, "by-hand-x", lives=timedelta(seconds=-1))

    answer = Client().get("/v1/errors", headers={"Cookie": "session=by-hand-x"})

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid or expired session"})


def test_the_lifetime_is_configured(admin: User, client: Client, settings: LazySettings):
    settings.SESSION_COOKIE_AGE = 60

    sign_in(client, admin)

    assert client.cookies["session"]["max-age"] == 60
    row = Session.objects.get()
    assert row.expires_at - row.created_at == timedelta(seconds=60)


def test_a_key_chosen_by_someone_else_is_never_taken_over(admin: User):
    client = Client()
    client.cookies["session"] = "chosen-by-the-attacker"

    value = sign_in(client, admin)

    assert value != "chosen-by-the-attacker"
    assert status_with("session=chosen-by-the-attacker") == 303


def test_the_key_changes_at_every_sign_in_and_the_old_one_dies(admin: User):
    client = Client()
    first = sign_in(client, admin)
    second = sign_in(client, admin)
    third = sign_in(client, make_user(username="mia"))

    assert len({first, second, third}) == 3
    assert [status_with(f"session={value}") for value in (first, second, third)] == [303, 303, 200]
    assert Session.objects.count() == 1


def test_signing_out_ends_the_session_on_the_server_and_says_so(admin: User, client: Client):
    value = sign_in(client, admin)

    answer = client.post("/auth/sign-out")

    assert answer.headers["Location"] == "/auth/login?reason=signed_out"
    assert not Session.objects.exists()
    assert client.cookies["session"].value == ""
    assert status_with(f"session={value}") == 303
    assert "You are signed out" in client.get(answer.headers["Location"]).content.decode()


def test_signing_out_ends_this_browsers_session_only(admin: User):
    here, there = Client(), Client()
    sign_in(here, admin)
    sign_in(there, admin)

    here.post("/auth/sign-out")

    assert (here.get("/errors").status_code, there.get("/errors").status_code) == (303, 200)


def test_signing_out_twice_is_as_good_as_once(client: Client, db: None):
    assert client.post("/auth/sign-out").headers["Location"] == "/auth/login?reason=signed_out"


def test_signing_out_by_a_link_of_another_site_does_nothing(admin: User, client: Client):
    sign_in(client, admin)

    assert client.get("/auth/sign-out").status_code == 405
    assert client.post("/auth/sign-out", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/errors").status_code == 200


def test_a_person_switched_off_or_removed_is_out_at_once(admin: User):
    mia = make_user(username="mia")
    by_hand(admin, "by-hand-a")
    by_hand(mia, "by-hand-b")

    assert (status_with("session=by-hand-a"), status_with("session=by-hand-b")) == (200, 200)
    User.objects.filter(pk=admin.pk).update(is_active=False)
    mia.delete()

    assert (status_with("session=by-hand-a"), status_with("session=by-hand-b")) == (303, 303)


def test_looking_around_without_a_session_makes_none(client: Client, db: None):
    for path in ("/auth/login", "/errors", "/health", "/v1/docs"):
        client.get(path)

    assert not Session.objects.exists()
    assert "session" not in client.cookies


@pytest.mark.parametrize(
    ("origin", "secure"),
    [
        ("http://localhost:5332", False),
        ("http://127.0.0.1:9000", False),
        ("http://[::1]:5332", False),
        ("https://errors.example.com", True),
        ("http://errors.example.com", True),
    ],
)
def test_cookies_are_secure_unless_the_origin_is_this_machine(origin: str, secure, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BLOOP_", "DATABASE_"))}
    environment |= {"BLOOP__AUTH__RP_ORIGIN": origin, "BLOOP__DATABASE__PATH": str(folder / "bloop.db")}
    code = (
        "import json; from bloop_site import settings as s;"
        "print(json.dumps([s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == [secure] * 3
