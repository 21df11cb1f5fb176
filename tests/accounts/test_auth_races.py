"""Two at once, in real threads on a shared database: one first admin, one use of whatever works once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts.audit import Actor
from accounts.models import AuditEntry, Invite, Passkey, Role, Session, User
from accounts.passkeys import Assertion
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from accounts.services.passkeys import LastWayIn, remove_passkey, use_passkey
from accounts.services.recovery import digest, make_recovery_codes, use_recovery_code
from tests.accounts.ceremony import answer_of, finish, give_passkey, is_signed_in, start
from tests.authenticator import Authenticator
from tests.factories import make_admin, make_user
from tests.ingest.conftest import await_a_waiter

Together = Callable[[Sequence[Callable[[], Any]]], list[Any]]
pytestmark = pytest.mark.usefixtures("shared_database", "unhurried")
OK = (200, {"status": "ok"})
CLOSED = (403, {"error": "registration is closed"})
RACERS = 4


@pytest.fixture(autouse=True)
def clean(shared_database: None) -> Iterator[None]:
    """PostgreSQL keeps what threads commit."""
    yield
    for model in (Session, Invite, User, AuditEntry):
        model.objects.all().delete()


def clone(client: Client) -> Client:
    """Another connection of the same browser."""
    other = Client()
    other.cookies = client.cookies
    return other


def outcomes(results: list[Any]) -> list[Any]:
    assert not [result for result in results if isinstance(result, Exception)], results
    return sorted(answer_of(result) for result in results)


def test_of_simultaneous_first_registrations_one_makes_an_admin(together: Together):
    def begun(number: int) -> Callable[[], Any]:
        client, device = Client(), Authenticator()
        link = issue_login_link(username=None, now=timezone.now())  # each their own, so the link decides nothing
        challenge_id, options = start(client, "register", username=f"admin{number}", link_token=link.token)
        return lambda: finish(client, "register", challenge_id, device.create(options))

    results = together([begun(number) for number in range(RACERS)])

    assert outcomes(results) == [OK, *[CLOSED] * (RACERS - 1)]
    assert [user.is_founder for user in User.objects.all()] == [True]
    assert Passkey.objects.count() == 1
    assert Session.objects.exclude(user=None).count() == 1


def test_of_two_people_with_one_first_link_one_becomes_admin(together: Together):
    token = issue_login_link(username=None, now=timezone.now()).token

    def begun(number: int) -> Callable[[], Any]:
        client, device = Client(), Authenticator()
        challenge_id, options = start(client, "register", username=f"admin{number}", link_token=token)
        return lambda: finish(client, "register", challenge_id, device.create(options))

    assert outcomes(together([begun(number) for number in range(RACERS)])) == [OK, *[CLOSED] * (RACERS - 1)]
    assert User.objects.count() == 1


def test_of_two_people_with_one_invite_one_joins(together: Together):
    make_admin()
    token = issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now()).token

    def begun(number: int) -> Callable[[], Any]:
        client, device = Client(), Authenticator()
        challenge_id, options = start(client, "invite/register", username=f"kim{number}", invite_token=token)
        return lambda: finish(client, "invite/register", challenge_id, device.create(options), invite_token=token)

    refused = (400, {"error": "invite token is invalid or expired"})
    assert outcomes(together([begun(number) for number in range(RACERS)])) == [OK, *[refused] * (RACERS - 1)]
    assert User.objects.count() == 2
    assert Passkey.objects.count() == 1


def test_of_two_with_one_counter_value_one_signs_in(together: Together):
    ann, device = make_admin(username="ann"), Authenticator()
    give_passkey(ann, device)
    begun: list[tuple[Any, ...]] = []
    clients = [Client() for _ in range(RACERS)]
    for client in clients:
        challenge_id, options = start(client, "login")
        credential = device.copy().get(options)  # each a clone, each with counter 2
        begun.append((client, challenge_id, credential))

    results = together([partial(finish, client, "login", *answer) for client, *answer in begun])

    assert outcomes(results) == [OK, *[(401, {"error": "authentication failed"})] * (RACERS - 1)]
    assert sum(is_signed_in(client) for client in clients) == 1
    assert AuditEntry.objects.filter(action="passkey_refused").count() == RACERS - 1
    assert Passkey.objects.get().sign_count == 2


@pytest.mark.postgres
def test_a_counter_that_another_sign_in_is_about_to_commit_is_refused(together: Together):
    ann, device = make_admin(username="ann"), Authenticator()
    passkey, has_used = give_passkey(ann, device), threading.Event()
    signed = Assertion(credential_id=passkey.credential_id, sign_count=2, is_synced=False, user_handle=None)

    def first() -> bool:
        with transaction.atomic():
            used = use_passkey(passkey=passkey, signed=signed, now=timezone.now(), address="")
            has_used.set()
            await_a_waiter()
        return used

    def second() -> bool:
        has_used.wait(20)
        return use_passkey(passkey=passkey, signed=signed, now=timezone.now(), address="")

    assert together([first, second]) == [True, False]
    assert AuditEntry.objects.filter(action="passkey_refused").count() == 1


def test_of_two_requests_with_one_answer_one_signs_in(together: Together):
    ann, device = make_admin(username="ann"), Authenticator(is_synced=True, counts=False)  # no counter to tell them by
    give_passkey(ann, device)
    client = Client()
    challenge_id, options = start(client, "login")
    credential = device.get(options)

    results = together([partial(finish, clone(client), "login", challenge_id, credential) for _ in range(RACERS)])

    assert outcomes(results) == [OK, *[(400, {"error": "challenge expired or invalid"})] * (RACERS - 1)]
    assert Session.objects.filter(user=ann).count() == 1


def test_two_starts_of_one_browser_at_once_are_both_kept(together: Together):
    ann, device = make_admin(username="ann"), Authenticator()
    give_passkey(ann, device)
    client = Client()
    start(client, "login")

    begun = together([partial(start, clone(client), "login") for _ in range(3)])

    for challenge_id, options in begun:
        assert answer_of(finish(clone(client), "login", challenge_id, {})) == (401, {"error": "authentication failed"})
        assert options["challenge"]


def test_a_recovery_code_is_used_once_though_two_send_it(together: Together):
    ann = make_admin(username="ann")
    code = make_recovery_codes(user=ann, actor=Actor(ann), now=timezone.now())[0]

    def use() -> Any:
        return use_recovery_code(username="ann", code=code, now=timezone.now(), address="")

    results = together([use] * RACERS)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert sum(result is not None for result in results) == 1
    assert AuditEntry.objects.filter(action="recovery_code_used").count() == 1


def test_of_two_passkeys_removed_at_once_one_stays(together: Together):
    mia = make_user(username="mia")
    passkeys = [give_passkey(mia, Authenticator(), name=name) for name in ("a", "b")]

    def remove(passkey: Passkey) -> Callable[[], Any]:
        return lambda: remove_passkey(user=mia, passkey_id=passkey.pk, actor=Actor(mia), now=timezone.now())

    results = together([remove(passkey) for passkey in passkeys])

    assert {type(result) for result in results} == {type(None), LastWayIn}
    assert Passkey.objects.count() == 1


def test_two_sets_of_recovery_codes_made_at_once_leave_one(together: Together):
    ann = make_admin(username="ann")

    sets = together([lambda: make_recovery_codes(user=ann, actor=Actor(ann), now=timezone.now())] * 2)

    kept = {token.token for token in StaticToken.objects.all()}
    assert [{digest(StaticDevice.objects.get().pk, code) for code in codes} == kept for codes in sets].count(True) == 1
