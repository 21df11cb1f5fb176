"""Sign-in links and invites: one use, an end, and nothing burned by looking at them (contract 5.3, design.md 3)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import queries
from accounts.models import AuditEntry, Invite, LoginLink, Role, Session, User
from accounts.secret import hashed
from accounts.services import invites, links
from accounts.services.invites import UsernameInvalid
from accounts.services.links import Issued, LinkInvalid
from tests.factories import make_admin, make_user

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ACCOUNT = "/settings/account"  # where a link leads who has no passkey yet


def path_of(issued: Issued) -> str:
    return issued.url.removeprefix("http://localhost:5332")


def link_for(user: User | None) -> Issued:
    return links.issue_login_link(username=user.username if user else None, now=timezone.now())


def is_signed_in(client: Client) -> bool:
    return client.get("/errors").status_code == 200


def just_before(statement: str, act: Callable[[], Any], *, occurrence: int = 1) -> Any:
    """Within the block, run `act` once right before an SQL statement that starts so: the other racer wins there."""
    left = occurrence

    def wrapper(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        nonlocal left
        left -= sql.startswith(statement)
        if left == 0:
            left = -1
            act()
        return execute(sql, params, many, context)

    return connection.execute_wrapper(wrapper)


# --- Sign-in links ----------------------------------------------------------------------------------------------


def test_a_link_signs_its_user_in_once(admin: User, client: Client):
    link = link_for(admin)

    first = client.post(path_of(link))
    second = Client().post(path_of(link))

    assert (first.status_code, first.headers["Location"]) == (302, ACCOUNT)
    assert is_signed_in(client)
    assert second.status_code == 410
    assert "session" not in second.cookies


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_a_link_does_not_use_it_up(method: str, admin: User, client: Client):
    link = link_for(admin)

    for _ in range(3):
        assert getattr(client, method)(path_of(link)).status_code == 200

    assert not is_signed_in(client)
    assert client.post(path_of(link)).status_code == 302


def test_the_link_page_says_who_one_will_be(admin: User, client: Client):
    assert "Sign in as <bdi>ann</bdi>" in client.get(path_of(link_for(admin))).content.decode()


@pytest.mark.parametrize(("age", "works"), [(timedelta(0), True), (299 * SECOND, True), (300 * SECOND, False)])
def test_a_link_works_for_five_minutes(age: timedelta, works, admin: User):
    link = links.issue_login_link(username="ann", now=NOW)

    assert (queries.usable_login_link(token=link.token, now=NOW + age) is not None) is works
    if works:
        assert links.redeem_login_link(token=link.token, now=NOW + age) == admin
    else:
        with pytest.raises(LinkInvalid):
            links.redeem_login_link(token=link.token, now=NOW + age)


def test_only_the_links_hash_is_kept(admin: User):
    link = link_for(admin)

    row = LoginLink.objects.get()
    assert row.token_hash == hashed(link.token)
    assert link.token not in "".join(str(value) for value in vars(row).values())
    assert len(link.token) == 43


def test_of_two_people_with_one_link_the_second_is_refused(admin: User):
    link = link_for(admin)

    with (
        just_before("UPDATE", lambda: LoginLink.objects.update(used_at=timezone.now())),
        pytest.raises(LinkInvalid),
    ):
        links.redeem_login_link(token=link.token, now=timezone.now())


def test_an_older_link_still_works_after_a_newer_one(admin: User):
    older, newer = link_for(admin), link_for(admin)

    for link in (newer, older):
        assert links.redeem_login_link(token=link.token, now=timezone.now()) == admin


def test_a_link_of_someone_switched_off_is_refused(admin: User, client: Client):
    link = link_for(admin)
    User.objects.update(is_active=False)

    assert client.post(path_of(link)).status_code == 410


@pytest.mark.parametrize("token", ["unknown", "%F0%9F%9A%80", "a" * 3000])
def test_a_link_nobody_made_is_gone(token: str, client: Client, db: None):
    assert client.get(f"/auth/link/{token}").status_code == 410
    assert client.post(f"/auth/link/{token}").status_code == 410


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/errors?project=shop", "/errors?project=shop"),
        ("/errors/shop/a%2Fb", "/errors/shop/a%2Fb"),
        ("", ACCOUNT),
        ("//evil.example", ACCOUNT),
        ("///evil.example", ACCOUNT),
        ("https://evil.example/", ACCOUNT),
        ("https:evil.example", ACCOUNT),
        ("https:///evil.example", ACCOUNT),
        ("\\\\evil.example", ACCOUNT),
        ("/\\evil.example", ACCOUNT),
        ("\t//evil.example", ACCOUNT),
        ("/\t/evil.example", ACCOUNT),
        ("javascript:alert(1)", ACCOUNT),
        ("evil", ACCOUNT),
        ("errors:list", ACCOUNT),
    ],
)
def test_after_sign_in_only_our_own_pages_are_led_to(target: str, leads_to: str, admin: User, client: Client):
    answer = client.post(path_of(link_for(admin)), {"next": target})

    assert (answer.status_code, answer.headers["Location"]) == (302, leads_to)


def test_the_page_carries_next_into_its_form(admin: User, client: Client):
    html = client.get(path_of(link_for(admin)) + "?next=/errors%3Fq=a%22b").content.decode()

    assert re.search(r'name="next" value="/errors\?q=a&quot;b"', html)


def test_signing_in_needs_the_forms_token(admin: User):
    strict = Client(enforce_csrf_checks=True)
    link = link_for(admin)

    refused = strict.post(path_of(link))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', strict.get(path_of(link)).content.decode())
    assert token
    taken = strict.post(path_of(link), {"csrfmiddlewaretoken": token.group(1)})

    assert (refused.status_code, taken.status_code) == (403, 302)


# --- The first admin --------------------------------------------------------------------------------------------


def test_the_first_link_of_an_empty_installation_makes_the_first_admin(client: Client, db: None):
    link = link_for(None)

    assert "Sign in as <bdi>admin</bdi>" in client.get(path_of(link)).content.decode()
    assert not User.objects.exists(), "looking made nobody"
    client.post(path_of(link))

    user = User.objects.get()
    assert (user.username, user.is_admin) == ("admin", True)
    assert is_signed_in(client)


def test_the_first_link_is_dead_once_anybody_exists(client: Client, db: None):
    links = [link_for(None), link_for(None)]

    client.post(path_of(links[0]))

    assert Client().get(path_of(links[1])).status_code == 410
    assert Client().post(path_of(links[1])).status_code == 410
    assert User.objects.count() == 1


def test_of_two_first_admins_at_once_one_is_made(db: None):
    link = link_for(None)

    with (
        just_before("SAVEPOINT", lambda: make_admin(username="admin"), occurrence=2),  # after looking, before making
        pytest.raises(LinkInvalid),
    ):
        links.redeem_login_link(token=link.token, now=timezone.now())


@pytest.mark.parametrize(("age", "works"), [(3599 * SECOND, True), (3600 * SECOND, False)])
def test_the_first_link_works_for_an_hour(age: timedelta, works, db: None):
    link = links.issue_login_link(username=None, now=NOW)

    assert (queries.usable_login_link(token=link.token, now=NOW + age) is not None) is works


def acts() -> list[tuple[str, str, str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name", "target", "address"))


def test_making_and_using_a_link_is_noted_without_its_token(admin: User, client: Client):
    link = link_for(admin)
    client.post(path_of(link))

    assert acts() == [("link_made", "command line", "ann", ""), ("link_used", "ann", "ann", "127.0.0.1")]
    assert link.token not in str([vars(entry) for entry in AuditEntry.objects.all()])


def test_the_first_admin_by_link_is_the_founder_and_noted(client: Client, db: None):
    client.post(path_of(link_for(None)))

    assert User.objects.get().is_founder is True
    assert acts() == [("user_joined", "admin", "admin", "127.0.0.1"), ("link_used", "admin", "admin", "127.0.0.1")]


def test_a_link_that_is_refused_leaves_no_entry(client: Client, db: None):
    link = link_for(None)
    make_user()

    client.post(path_of(link))

    assert acts() == []


def test_a_session_by_link_is_not_verified(admin: User, client: Client):
    client.post(path_of(link_for(admin)))

    assert is_signed_in(client)
    assert client.get("/admin/").status_code != 200


# --- Invites ----------------------------------------------------------------------------------------------------


def invite_to(role: str = Role.MEMBER) -> Issued:
    return invites.issue_invite(role=role, created_by=None, now=timezone.now())


@pytest.mark.parametrize("role", Role.values)
def test_an_invite_makes_one_account_of_its_role_and_signs_it_in(role: str, client: Client, db: None):
    invite = invite_to(role)

    led = client.get(path_of(invite))
    page = client.get(led.headers["Location"])
    joined = client.post(led.headers["Location"], {"username": " kim "})
    again = Client().post(led.headers["Location"], {"username": "lee"})

    assert (led.status_code, page.status_code, joined.status_code, again.status_code) == (302, 200, 302, 410)
    user = User.objects.get()
    assert (user.username, user.role) == ("kim", role)
    assert Invite.objects.get().used_by == user
    assert is_signed_in(client)


@pytest.mark.parametrize(("age", "works"), [(timedelta(days=7) - SECOND, True), (timedelta(days=7), False)])
def test_an_invite_works_for_seven_days(age: timedelta, works, db: None):
    invite = invites.issue_invite(role=Role.MEMBER, created_by=None, now=NOW)

    assert (queries.usable_invite(token=invite.token, now=NOW + age) is not None) is works
    if not works:
        with pytest.raises(LinkInvalid):
            invites.accept_invite(token=invite.token, username="kim", now=NOW + age)
        assert not User.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "a b", "a/b", "<b>", "x" * 65, "a\x00b", "a\nb", "\u202eevil"])
def test_a_bad_name_is_explained_and_does_not_burn_the_invite(name: str, client: Client, db: None):
    invite = invite_to()
    address = f"/auth/invite/{invite.token}"

    answer = client.post(address, {"username": name})

    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not User.objects.exists()
    assert client.post(address, {"username": "kim"}).status_code == 302


def test_a_taken_name_does_not_burn_the_invite(client: Client, db: None):
    make_user(username="kim")
    invite = invite_to()
    address = f"/auth/invite/{invite.token}"

    answer = client.post(address, {"username": "kim"})

    assert answer.status_code == 422
    assert "That name is taken" in answer.content.decode()
    assert Invite.objects.get().used_at is None
    assert client.post(address, {"username": "kim2"}).status_code == 302


def test_a_name_taken_at_the_last_moment_does_not_burn_the_invite(db: None):
    invite = invite_to()

    with (
        just_before("SAVEPOINT", lambda: make_user(username="kim"), occurrence=2),  # after looking, before making
        pytest.raises(UsernameInvalid, match="taken"),
    ):
        invites.accept_invite(token=invite.token, username="kim", now=timezone.now())

    assert queries.usable_invite(token=invite.token, now=timezone.now())


def test_of_two_people_with_one_invite_the_second_gets_no_account(db: None):
    invite = invite_to()

    with (
        just_before("UPDATE", lambda: Invite.objects.update(used_at=timezone.now())),
        pytest.raises(LinkInvalid),
    ):
        invites.accept_invite(token=invite.token, username="kim", now=timezone.now())

    assert not User.objects.exists()


def test_only_the_invites_hash_is_kept(db: None):
    invite = invite_to()

    assert Invite.objects.get().token_hash == hashed(invite.token)
    assert len(invite.token) == 43


# --- Housekeeping -----------------------------------------------------------------------------------------------


def test_what_ended_is_pruned_and_what_lives_stays(admin: User):
    for age in (timedelta(minutes=6), timedelta(minutes=1)):
        links.issue_login_link(username="ann", now=NOW - age)
    for age in (timedelta(days=8), timedelta(days=1)):
        invites.issue_invite(role=Role.MEMBER, created_by=admin, now=NOW - age)
    used = invites.issue_invite(role=Role.MEMBER, created_by=admin, now=NOW - timedelta(days=9))
    Invite.objects.filter(token_hash=hashed(used.token)).update(used_at=NOW)
    for name, left in (("old", -SECOND), ("new", SECOND)):
        Session.objects.create(key_hash=name, user=admin, created_at=NOW, expires_at=NOW + left)

    assert links.prune_expired(now=NOW) == 3

    assert (LoginLink.objects.count(), Invite.objects.count()) == (1, 2)
    assert [row.key_hash for row in Session.objects.all()] == ["new"]
    assert links.prune_expired(now=NOW) == 0
