"""Two at once with one link, invite, code or passkey: one gets in. Real threads on a real database."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from accounts.audit import COMMAND_LINE, Actor
from accounts.models import AuditEntry, Invite, LoginLink, Passkey, Role, Session, User
from accounts.services import members
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from accounts.services.passkeys import LastWayIn, remove_passkey
from accounts.services.recovery import make_recovery_codes
from projects.models import ApiToken, IngestKey, Project
from tests.access import passkey_of
from tests.accounts.ceremony import finish, give_passkey, sign_in, start
from tests.authenticator import Authenticator
from tests.factories import make_admin, make_project, make_token, make_user
from tests.ingest.conftest import at_once

RACERS = 8
pytestmark = pytest.mark.usefixtures("shared_database", "unhurried")


def race(act: Callable[[int], Any], racers: int = RACERS) -> list[Any]:
    """What each of the racers got; an exception is somebody's bug."""
    results = at_once([lambda number=number: act(number) for number in range(racers)])  # type: ignore[misc]
    broken = [result for result in results if isinstance(result, Exception)]
    assert not broken, broken
    return results


def client_of(number: int) -> Client:
    """A client at an address of its own, so that the limit on attempts decides nothing."""
    return Client(REMOTE_ADDR=f"10.0.0.{number}")


def statuses(act: Callable[[int], Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in race(act))


def test_of_many_with_one_link_one_gets_in():
    make_user(username="kim")
    link = issue_login_link(username="kim", now=timezone.now())

    got = statuses(lambda number: client_of(number).post(f"/auth/link/{link.token}"))

    assert got == {302: 1, 410: RACERS - 1}
    assert Session.objects.exclude(user=None).count() == 1


def test_of_many_with_one_invite_one_joins():
    invite = issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now())

    def join(number: int) -> Any:
        return client_of(number).post(f"/auth/invite/{invite.token}", {"username": f"kim{number}"})

    assert statuses(join) == {302: 1, 410: RACERS - 1}
    assert User.objects.count() == 1
    assert Invite.objects.get().used_by == User.objects.get()


def test_of_many_with_one_invite_and_a_passkey_each_one_joins():
    invite = issue_invite(role=Role.ADMIN, created_by=None, now=timezone.now())

    def join(number: int) -> Any:
        client, begun = begun_by[number]
        credential = Authenticator().create(begun[1])
        return finish(client, "invite/register", begun[0], credential, invite_token=invite.token)

    begun_by = {}
    for number in range(RACERS):
        client = client_of(number)
        begun_by[number] = client, start(client, "invite/register", username=f"kim{number}", invite_token=invite.token)

    assert statuses(join) == {200: 1, 400: RACERS - 1}
    assert (User.objects.count(), Passkey.objects.count()) == (1, 1)


def test_of_many_first_admins_one_is_made():
    links = [issue_login_link(username=None, now=timezone.now()) for _ in range(RACERS)]

    def come(number: int) -> Any:
        if number % 2:
            return client_of(number).post(f"/auth/link/{links[number].token}")
        client, begun = begun_by[number]
        return finish(client, "register", begun[0], Authenticator().create(begun[1]))

    begun_by = {}
    for number in range(0, RACERS, 2):
        client = client_of(number)
        begun_by[number] = client, start(client, "register", username=f"admin{number}", link_token=links[number].token)

    got = [answer.status_code for answer in race(come)]

    assert len([status for status in got if status in (200, 302)]) == 1, got
    assert set(got) <= {200, 302, 400, 403, 410}
    assert [user.is_admin for user in User.objects.all()] == [True]
    assert Passkey.objects.exclude(user=User.objects.get()).count() == 0


def test_of_many_with_one_recovery_code_one_gets_in():
    user = make_user(username="kim")
    code = make_recovery_codes(user=user, actor=COMMAND_LINE, now=timezone.now())[0]

    def recover(number: int) -> Any:
        return client_of(number).post("/auth/recover", {"username": "kim", "code": code})

    got = statuses(recover)

    assert got[302] == 1
    assert set(got) <= {302, 422, 429}
    assert Session.objects.exclude(user=None).count() == 1


def test_an_answer_to_a_challenge_counts_once():
    device = Authenticator(counts=False)  # so that it is not the counter that refuses
    give_passkey(make_user(username="kim"), device)
    client = Client()
    challenge_id, options = start(client, "login")
    credential = device.get(options)
    cookie = {"Cookie": f"session={client.cookies['session'].value}"}

    got = statuses(lambda number: finish(Client(headers=cookie), "login", challenge_id, credential))

    assert got[200] == 1, got
    assert set(got) <= {200, 400, 401}
    assert Session.objects.exclude(user=None).count() == 1


def test_a_copied_passkey_and_its_original_do_not_both_get_in():
    device = Authenticator()
    give_passkey(make_user(username="kim"), device)
    copies = [device.copy() for _ in range(RACERS)]

    got = statuses(lambda number: sign_in(client_of(number), copies[number]))

    assert got == {200: 1, 401: RACERS - 1}
    assert AuditEntry.objects.filter(action="passkey_refused").exists()


def test_two_passkeys_removed_at_once_leave_one():
    user = make_user(username="kim")
    keys = [passkey_of(user, name=f"Key {number}") for number in range(2)]

    def remove(number: int) -> str:
        try:
            remove_passkey(user=user, passkey_id=keys[number].pk, actor=Actor(user), now=timezone.now())
        except LastWayIn:
            return "kept"
        return "removed"

    assert sorted(race(remove, 2)) == ["kept", "removed"]
    assert Passkey.objects.count() == 1


def test_admins_who_demote_each_other_at_once_leave_one():
    admins = [make_admin(username=f"admin{number}") for number in range(2)]

    def demote(number: int) -> str:
        try:
            members.change_role(
                user_id=admins[1 - number].pk, role=Role.MEMBER, actor=Actor(admins[number]), now=timezone.now()
            )
        except (members.LastAdmin, PermissionDenied):
            return "refused"
        return "demoted"

    assert sorted(race(demote, 2)) == ["demoted", "refused"]
    assert User.objects.filter(role=Role.ADMIN).count() == 1


def test_admins_who_remove_each_other_at_once_leave_one():
    admins = [make_admin(username=f"admin{number}") for number in range(2)]

    def remove(number: int) -> str:
        try:
            members.remove_user(user_id=admins[1 - number].pk, actor=Actor(admins[number]), now=timezone.now())
        except (members.LastAdmin, PermissionDenied):
            return "refused"
        return "removed"

    assert sorted(race(remove, 2)) == ["refused", "removed"]
    assert [user.is_admin for user in User.objects.all()] == [True]


def test_a_token_revoked_by_two_is_revoked_once():
    admin = make_admin()
    token = make_token(make_project().project).token
    cookies = [link_in(admin) for _ in range(RACERS)]

    got = statuses(lambda number: with_cookie(cookies[number]).delete(f"/v1/tokens/{token.pk}"))

    assert got == {200: 1, 404: RACERS - 1}
    assert AuditEntry.objects.filter(action="token_revoked").count() == 1
    assert ApiToken.objects.get().revoked_at is not None


def test_a_slug_wanted_by_many_is_one_projects():
    cookies = [link_in(make_admin()) for _ in range(RACERS)]

    wanted = {"name": "Shop", "slug": "shop"}
    got = statuses(lambda number: with_cookie(cookies[number]).post("/v1/projects", wanted, "application/json"))

    assert got == {200: 1, 400: RACERS - 1}
    assert Project.objects.filter(slug="shop").count() == 1


def test_a_key_rotated_by_many_at_once_leaves_one_without_an_end():
    new = make_project(slug="shop")
    cookies = [link_in(make_admin()) for _ in range(RACERS)]

    got = race(lambda number: with_cookie(cookies[number]).post("/v1/projects/shop/rotate-key"))

    assert {answer.status_code for answer in got} == {200}
    left = IngestKey.objects.get(project=new.project)
    assert left.key in {answer.json()["api_key"] for answer in got}


def test_many_resets_at_once_leave_nobody_and_break_nothing():
    cookies = [link_in(make_admin()) for _ in range(RACERS)]

    sure = {"confirm": True}
    got = statuses(lambda number: with_cookie(cookies[number]).post("/v1/admin/reset", sure, "application/json"))

    assert got[200] >= 1
    assert set(got) <= {200, 401, 403}
    assert not User.objects.exists()
    assert not Session.objects.exclude(user=None).exists()
    assert not LoginLink.objects.exclude(user=None).exists()


def link_in(user: User) -> str:
    """The cookie of a session made by a link."""
    link = issue_login_link(username=user.username, now=timezone.now())
    client = Client()
    assert client.post(f"/auth/link/{link.token}").status_code == 302
    return str(client.cookies["session"].value)


def with_cookie(cookie: str) -> Client:
    return Client(headers={"Cookie": f"session={cookie}"})
