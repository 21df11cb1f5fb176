"""Who belongs to a project, and the invites that bring people into it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.audit import Action, Actor, record
from accounts.models import Invite, User
from accounts.secret import hashed
from accounts.services.invites import issue_invite
from accounts.services.links import Issued
from projects.models import InvitedTo, Membership, Project
from projects.services.locking import locked_project


def add_member(*, project: Project, user: User, actor: Actor, now: datetime) -> bool:
    """Let somebody into the project. Returns whether they were not in it yet. Raises ProjectGone."""
    with transaction.atomic():
        _, added = Membership.objects.get_or_create(project=locked_project(project.pk), user=user)
        if added:
            audit(project, user, action=Action.MEMBER_ADDED, actor=actor, now=now)
    return added


def remove_member(*, project: Project, user_id: UUID, actor: Actor, now: datetime) -> bool:
    """Take somebody out of the project. Returns whether they were in it."""
    with transaction.atomic():
        membership = Membership.objects.select_related("user").filter(project=project, user_id=user_id).first()
        if membership is None or not Membership.objects.filter(pk=membership.pk).delete()[0]:
            return False
        audit(project, membership.user, action=Action.MEMBER_REMOVED, actor=actor, now=now)
    return True


def invite_to(
    *, role: str, projects: Sequence[Project], created_by: User | None, actor: Actor, now: datetime
) -> Issued:
    """Make an invite that opens these projects to whoever accepts it. Writes it with its projects, or nothing.

    Raises ProjectGone.
    """
    with transaction.atomic():
        issued = issue_invite(role=role, created_by=created_by, now=now, actor=actor)
        invite = Invite.objects.get(token_hash=hashed(issued.token))
        for project_id in sorted({project.pk for project in projects}):
            InvitedTo.objects.create(invite=invite, project=locked_project(project_id))
    return issued


def join_invited_projects(*, invite: Invite, user: User, actor: Actor, now: datetime) -> None:
    """Make the memberships an invite promised, in the transaction that accepts it; projects gone since are passed."""
    promised = Project.objects.filter(removing_at=None, pk__in=invite.projects.values("project")).order_by("pk")
    for project in promised.select_for_update(no_key=True):
        Membership.objects.create(project=project, user=user)
        audit(project, user, action=Action.MEMBER_ADDED, actor=actor, now=now)


def audit(project: Project, user: User, *, action: Action, actor: Actor, now: datetime) -> None:
    """Write the audit entry of somebody's coming or going."""
    detail = {"user": user.username}
    target = f"{user.username} in {project.name}"
    record(actor=actor, action=action, target=target, now=now, project_id=project.pk, detail=detail)
