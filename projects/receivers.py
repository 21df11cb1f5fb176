"""What happens to projects when something happens to people."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from accounts.audit import Actor
from accounts.models import Invite, User
from accounts.signals import invite_accepted
from projects.services.members import join_invited_projects


@receiver(invite_accepted, dispatch_uid="projects.join")
def join(*, invite: Invite, user: User, actor: Actor, now: datetime, **_: Any) -> None:
    """Whoever accepts an invite becomes a member of its projects, in the same transaction."""
    join_invited_projects(invite=invite, user=user, actor=actor, now=now)
