"""What is known of a session in use, what a sign-in makes of it, and that nobody is tricked into somebody else's."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import queries
from accounts.models import Session, User
from accounts.services.links import issue_login_link
from projects.services.projects import NewProject
from tests.accounts.ceremony import is_signed_in, later, sign_in, start
from tests.authenticator import Authenticator
from tests.factories import make_token, make_user


def by_hand(user: User | None, value: str) -> Session:
    """A row as the original's scripts insert it."""
    now = timezone.now()
    digest = hashlib.sha256(value.encode()).hexdigest()
    return Session.objects.create(key_hash=digest, user=user, created_at=now, expires_at=now + timedelta(days=1))


def writes_of(client: Client, path: str = "/errors", **headers: str) -> list[str]:
    """The session's rows that a request writes."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path, headers=headers).status_code == 200
    return [each["sql"] for each in captured if each["sql"].startswith('UPDATE "accounts_session"')]


# --- Seen -----------------------------------------------------------------------------------------------------------


def test_use_is_noted_at_most_every_five_minutes(admin_client: Client, monkeypatch: pytest.MonkeyPatch):
    made = Session.objects.get().last_seen_at
    assert made is not None

    assert writes_of(admin_client) == []
    later(monkeypatch, minutes=4, seconds=50)
    assert writes_of(admin_client) == []
    later(monkeypatch, seconds=20)
    assert len(writes_of(admin_client)) == 1
    assert writes_of(admin_client) == []

    row = Session.objects.get()
    assert row.last_seen_at is not None
    assert (row.last_seen_at - made).total_seconds() > 300
    assert row.expires_at - row.created_at == timedelta(seconds=604_800), "and lives no longer for it"


def test_an_answer_does_not_fail_for_want_of_the_note(admin_client: Client, monkeypatch: pytest.MonkeyPatch):
    later(monkeypatch, hours=1)

    def busy(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith('UPDATE "accounts_session"'):
            raise OperationalError("database is locked")
        return execute(sql, *rest)

    with connection.execute_wrapper(busy):
        assert admin_client.get("/errors").status_code == 200
    assert len(writes_of(admin_client)) == 1


def test_a_row_inserted_by_hand_is_noted_at_its_first_use(admin: User):
    by_hand(admin, "made-by-a-script")
    client = Client(headers={"Cookie": "session=made-by-a-script"})

    assert len(writes_of(client)) == 1
    assert writes_of(client) == []
    assert [row.last_seen_at is not None for row in queries.sessions_of(admin, timezone.now())] == [True]


def test_a_read_by_token_touches_no_session_even_beside_a_cookie(
    admin_client: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch
):
    secret = make_token(shop.project).secret
    before = Session.objects.get().last_seen_at
    later(monkeypatch, hours=1)

    with CaptureQueriesContext(connection) as captured:
        answer = admin_client.get("/v1/errors", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 200
    assert not [each["sql"] for each in captured if "accounts_session" in each["sql"]]
    assert Session.objects.get().last_seen_at == before


def test_an_ended_session_is_not_noted(admin: User):
    row = by_hand(admin, "made-by-a-script")
    Session.objects.update(expires_at=timezone.now())

    Client(headers={"Cookie": "session=made-by-a-script"}).get("/errors")

    row.refresh_from_db()
    assert row.last_seen_at is None


# --- Where from -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Mozilla/5.0 Firefox/140.0", "Mozilla/5.0 Firefox/140.0"), ("x" * 400, "x" * 300), ("a\x00b\x1bc", "abc")],
)
def test_a_session_knows_its_browser_and_address(sent: str, kept: str, ann: User, device: Authenticator):
    client = Client(REMOTE_ADDR="2001:db8::7", headers={"User-Agent": sent})

    sign_in(client, device)

    row = Session.objects.get(user=ann)
    assert (row.address, row.user_agent) == ("2001:db8::7", kept)
    client.get("/errors")
    row.refresh_from_db()
    assert (row.address, row.user_agent) == ("2001:db8::7", kept)


def test_so_does_one_by_link(admin: User):
    client = Client(headers={"User-Agent": "Firefox"})
    link = issue_login_link(username="ann", now=timezone.now())

    client.post(f"/auth/link/{link.token}")

    assert [(row.address, row.user_agent) for row in Session.objects.all()] == [("127.0.0.1", "Firefox")]


# --- A new key at every sign-in -------------------------------------------------------------------------------------


def test_a_key_known_before_the_sign_in_opens_nothing_after_it(ann: User, device: Authenticator):
    victim = Client()
    start(victim, "login")
    planted = victim.cookies["session"].value

    sign_in(victim, device)

    assert is_signed_in(victim)
    assert victim.cookies["session"].value != planted
    assert not is_signed_in(Client(headers={"Cookie": f"session={planted}"}))
    assert [row.user for row in Session.objects.all()] == [ann], "the anonymous row is gone"


@pytest.mark.parametrize("name", ["session", "bloop_session"])
def test_a_key_chosen_by_somebody_else_is_never_taken_over(name: str, ann: User, device: Authenticator):
    victim = Client()
    victim.cookies[name] = "chosen-by-the-attacker"

    sign_in(victim, device)

    assert victim.cookies["session"].value != "chosen-by-the-attacker"
    for each in ("session", "bloop_session"):
        assert not is_signed_in(Client(headers={"Cookie": f"{each}=chosen-by-the-attacker"}))


def test_signing_in_over_somebody_elses_session_leaves_nothing_of_it(ann: User, device: Authenticator):
    client = Client()
    client.force_login(make_user(username="mia"))
    session = client.session
    session["cart"] = "mia's"
    session.save()

    sign_in(client, device)

    assert client.get("/errors").context["frame"].username == "ann"
    assert "cart" not in client.session
    assert [row.user for row in Session.objects.all()] == [ann]


def test_a_sign_in_begins_the_whole_lifetime(ann: User, device: Authenticator, monkeypatch: pytest.MonkeyPatch):
    client = Client()
    start(client, "login")
    later(monkeypatch, minutes=14)

    answer = sign_in(client, device)

    row = Session.objects.get()
    assert row.expires_at - row.created_at == timedelta(seconds=604_800)
    assert abs((row.created_at - timezone.now()).total_seconds()) < 5
    assert answer.cookies["session"]["max-age"] == 604_800


def test_a_session_written_later_keeps_its_end(
    ann: User, device: Authenticator, client: Client, monkeypatch: pytest.MonkeyPatch
):
    sign_in(client, device)
    ends = Session.objects.get().expires_at
    later(monkeypatch, days=2)

    start(client, "verify")

    assert Session.objects.get().expires_at == ends
    session = client.session
    assert abs(session.get_expiry_age() - 5 * 86_400) < 10, "the cookie ends with the row"


def test_an_anonymous_session_ends_after_a_quarter_of_an_hour(
    ann: User, client: Client, device: Authenticator, monkeypatch: pytest.MonkeyPatch
):
    start(client, "login")
    later(monkeypatch, minutes=15, seconds=1)

    assert sign_in(client, device).status_code == 200, "a new one takes its place"
    assert Session.objects.filter(user=None).count() == 1, "until the hourly prune"


def test_the_original_cookie_goes_once_there_is_one_of_ours(ann: User, device: Authenticator):
    by_hand(ann, "made-by-a-script")
    client = Client()
    client.cookies["bloop_session"] = "made-by-a-script"
    assert is_signed_in(client)

    answer: Any = sign_in(client, device)

    assert answer.cookies["bloop_session"]["max-age"] == 0
    assert client.get("/errors").context["frame"].username == "ann"


@pytest.mark.parametrize("data", ["", "garbage"])
def test_a_ceremony_works_in_a_session_inserted_by_hand(data: str, ann: User, device: Authenticator):
    by_hand(ann, "made-by-a-script")
    Session.objects.update(data=data)
    client = Client()
    client.cookies["session"] = "made-by-a-script"

    start(client, "verify")
    start(client, "verify")

    assert client.get("/errors").context["frame"].username == "ann"
