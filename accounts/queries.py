"""Questions about people and their links; nothing here writes."""

from datetime import datetime

from accounts.models import Invite, LoginLink, Role, User
from accounts.secret import hashed


def usable_login_link(*, token: str, now: datetime) -> LoginLink | None:
    """The sign-in link, if it would work now."""
    link = LoginLink.objects.select_related("user").filter(token_hash=hashed(token), used_at=None, expires_at__gt=now)
    found = link.first()
    stale = found is not None and found.user is None and User.objects.exists()
    return None if stale else found


def usable_invite(*, token: str, now: datetime) -> Invite | None:
    """The invite, if it would work now."""
    return Invite.objects.filter(token_hash=hashed(token), used_at=None, expires_at__gt=now).first()


def oldest_admin() -> User | None:
    """The admin whom `serve` offers a sign-in link: the first one made."""
    return User.objects.filter(role=Role.ADMIN, is_active=True).order_by("created_at", "pk").first()
