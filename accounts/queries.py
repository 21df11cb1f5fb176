"""Questions about people and their links; nothing here writes."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.conf import settings
from django.db.models.functions import Coalesce
from django_otp.plugins.otp_static.models import StaticToken

from accounts.models import Invite, LoginLink, Passkey, Role, Session, User
from accounts.secret import derived_token, hashed
from bloop_site.lib.ids import uuid_of

INVITE_PURPOSE = "invite"  # of `derived_token`


def usable_login_link(*, token: str, now: datetime) -> LoginLink | None:
    """The sign-in link, if it would work now."""
    link = LoginLink.objects.select_related("user").filter(token_hash=hashed(token), used_at=None, expires_at__gt=now)
    found = link.first()
    stale = found is not None and found.user is None and User.objects.exists()
    return None if stale else found


def usable_invite(*, token: str, now: datetime) -> Invite | None:
    """The invite, if it would work now."""
    usable = Invite.objects.filter(token_hash=hashed(token), used_at=None, revoked_at=None, expires_at__gt=now)
    return usable.first()


def oldest_admin() -> User | None:
    """The admin whom `serve` offers a sign-in link: the first one made."""
    return User.objects.filter(role=Role.ADMIN, is_active=True).order_by("created_at", "pk").first()


def plain_username(text: str) -> str:
    """A name as it was typed, in the form in which names are kept."""
    return unicodedata.normalize("NFKC", text.strip())


def is_taken(username: str) -> bool:
    """Whether somebody is called so, in any letter case."""
    return User.objects.filter(username__iexact=username).exists()


def is_set_up() -> bool:
    """Whether anybody exists: from then on people come by invite."""
    return User.objects.exists()


def any_passkey() -> bool:
    """Whether anybody at all has a passkey."""
    return bool(Passkey.objects.exists())


def passkeys_of(user: User) -> list[Passkey]:
    """The person's passkeys, the oldest first."""
    return list(Passkey.objects.filter(user=user, confirmed=True).order_by("created_at", "pk"))


def credential_ids_of(username: str) -> list[str]:
    """The credential ids (base64url) of who is called so and may sign in; none for anybody else."""
    passkeys = Passkey.objects.filter(user__username=username, user__is_active=True, confirmed=True)
    return list(passkeys.order_by("created_at", "pk").values_list("credential_id", flat=True))


def passkey_by_credential(credential_id: str) -> Passkey | None:
    """The passkey with this credential id (base64url), its user loaded."""
    passkeys = Passkey.objects.select_related("user").filter(credential_id=credential_id, confirmed=True)
    return cast("Passkey | None", passkeys.first())


def unused_recovery_codes(user: User) -> int:
    """How many recovery codes the person could still use."""
    return int(StaticToken.objects.filter(device__user=user, device__confirmed=True).count())


def sessions_of(user: User, now: datetime) -> list[Session]:
    """The browsers the person is signed in with, the last one used first."""
    rows = Session.objects.filter(user=user, expires_at__gt=now)
    return list(rows.order_by(Coalesce("last_seen_at", "created_at").desc(), "pk"))


@dataclass(frozen=True)
class InviteRow:
    """An invite as admins see it. token and url: None when the server's secret is not the one that made them.

    state: "open", "used", "revoked" or "expired".
    """

    token_hash: str
    token: str | None
    url: str | None
    role: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_by_name: str
    revoked_at: datetime | None
    created_by_name: str
    state: str


def users() -> list[User]:
    """Everybody, the oldest account first (contract 5.3)."""
    return list(User.objects.order_by("created_at", "pk"))


def user_named(text: str) -> User | None:
    """The user with this id, else with this name."""
    user_id = uuid_of(text)
    found = User.objects.filter(pk=user_id).first() if user_id else None
    return found or (User.objects.filter(username=text).first() if "\x00" not in text else None)


def invites(now: datetime) -> list[InviteRow]:
    """Every invite that is still kept, the newest first."""
    rows = Invite.objects.select_related("created_by", "used_by").order_by("-created_at", "token_hash")
    return [invite_row(invite, now=now) for invite in rows]


def invite_row(invite: Invite, *, now: datetime) -> InviteRow:
    """The invite with its token made again, and what became of it by `now`. Its people must be loaded."""
    token = invite_token(invite)
    return InviteRow(
        token_hash=invite.token_hash,
        token=token,
        url=invite_url(token) if token else None,
        role=invite.role,
        created_at=invite.created_at,
        expires_at=invite.expires_at,
        used_at=invite.used_at,
        used_by_name=invite.used_by.username if invite.used_by else "",
        revoked_at=invite.revoked_at,
        created_by_name=invite.created_by.username if invite.created_by else "",
        state=state_of(invite, now=now),
    )


def invite_token(invite: Invite) -> str | None:
    """The token of an invite, made again of its seed; None when the server's secret has changed since."""
    token = derived_token(INVITE_PURPOSE, invite.seed)
    return token if invite.seed and hashed(token) == invite.token_hash else None


def invite_url(token: str) -> str:
    """The address that an invited person opens (contract 5.3)."""
    return f"{settings.BLOOP.auth.rp_origin}/auth/login?invite={token}"


def state_of(invite: Invite, *, now: datetime) -> str:
    """Where the invite stands, as `InviteRow.state` says it."""
    if invite.used_at:
        return "used"
    if invite.revoked_at:
        return "revoked"
    return "open" if invite.expires_at > now else "expired"
