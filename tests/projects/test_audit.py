"""An administrative act and its entry in the audit log are written together or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.audit import COMMAND_LINE, Actor
from accounts.models import AuditEntry, Role, User
from accounts.secret import hashed
from accounts.services.invites import accept_invite, issue_invite, revoke_invite
from accounts.services.members import change_role, remove_user, reset_accounts
from projects.services.keys import rotate_key
from projects.services.members import add_member, invite_to, remove_member
from projects.services.projects import NewProject, choose_grouping, create_project, rename_project
from projects.services.removal import request_removal
from projects.services.tokens import issue_token, revoke_token
from tests.factories import make_admin, make_token, make_user
from tests.projects.test_hostile import everything

Act = Callable[[Any], Any]
BY: dict[str, Any] = {"actor": COMMAND_LINE, "now": timezone.now()}
ACTS: dict[str, Act] = {
    "project_created": lambda w: create_project(name="New", slug="new", created_by=w.member, **BY),
    "project_changed": lambda w: rename_project(project=w.project, name="New", **BY),
    "project_changed by grouping": lambda w: choose_grouping(project=w.project, grouping="v2", **BY),
    "project_deleted": lambda w: request_removal(project=w.project, **BY),
    "key_rotated": lambda w: rotate_key(project=w.project, grace_seconds=0, **BY),
    "member_added": lambda w: add_member(project=w.project, user=w.admin, **BY),
    "member_removed": lambda w: remove_member(project=w.project, user_id=w.member.pk, **BY),
    "token_created": lambda w: issue_token(project=w.project, name="n", scopes=["llm:read"], created_by=None, **BY),
    "token_revoked": lambda w: revoke_token(token_id=w.token.pk, by=w.admin, **BY),
    "invite_created": lambda w: issue_invite(role=Role.MEMBER, created_by=None, **BY),
    "invite_created with projects": lambda w: invite_to(role="member", projects=[w.project], created_by=None, **BY),
    "invite_revoked": lambda w: revoke_invite(token_hash=hashed(w.invite.token), **BY),
    "user_joined": lambda w: accept_invite(token=w.invite.token, username="kim", now=timezone.now()),
    "role_changed": lambda w: change_role(user_id=w.member.pk, role=Role.ADMIN, **BY),
    "user_removed": lambda w: remove_user(user_id=w.member.pk, **BY),
    "auth_reset": lambda w: reset_accounts(**BY),
}


class World:
    """What the acts are done to."""

    def __init__(self, shop: NewProject) -> None:
        self.project = shop.project
        self.admin, self.member = make_admin(username="ann"), make_user(username="mia", projects=(shop.project,))
        self.token = make_token(shop.project).token
        self.invite = issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now())


@pytest.mark.parametrize("name", ACTS)
def test_an_act_leaves_one_entry(name: str, shop: NewProject):
    world = World(shop)
    AuditEntry.objects.all().delete()

    ACTS[name](world)

    entry = AuditEntry.objects.get()
    assert entry.action == name.partition(" ")[0]
    assert entry.target
    of_people = name.startswith(("invite", "user", "role", "auth"))
    assert (entry.project_id is None) is of_people


@pytest.mark.parametrize("name", ACTS)
def test_without_its_entry_nothing_is_done(name: str, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    world = World(shop)
    before = everything()

    def full(**_: Any) -> None:
        raise OSError

    monkeypatch.setattr(AuditEntry.objects, "create", full)
    with pytest.raises(OSError):
        ACTS[name](world)

    assert everything() == before


def test_an_entry_outlives_who_made_it_under_their_name(shop: NewProject):
    ann, kim = make_admin(username="ann"), make_admin(username="kim")
    rotate_key(project=shop.project, grace_seconds=0, actor=Actor(kim, "203.0.113.9"), now=timezone.now())

    remove_user(user_id=kim.pk, actor=Actor(ann), now=timezone.now())

    entry = AuditEntry.objects.get(action="key_rotated")
    assert (entry.actor, entry.actor_name, entry.address) == (None, "kim", "203.0.113.9")
    assert list(User.objects.all()) == [ann]
