"""Makes and revokes API tokens. A token's secret is returned once, here, and shown by whoever called."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from accounts.audit import COMMAND_LINE, Action, Actor, record
from accounts.models import User
from accounts.secret import hashed
from projects.access import may_manage, may_see
from projects.models import ApiToken, Project
from projects.scopes import SCOPES
from projects.services.locking import locked_project


class TokenInvalid(Exception):
    """The token cannot be made; the text is contract 5.2's."""


class TokenGone(Exception):
    """There is no such token, or it was revoked before."""

    def __init__(self) -> None:
        super().__init__("token not found or already revoked")


class TokenForbidden(Exception):
    """Somebody else's token of a project that they see but do not manage."""

    def __init__(self) -> None:
        super().__init__("you do not have permission to revoke this token")


@dataclass(frozen=True)
class NewToken:
    token: ApiToken
    secret: str


def issue_token(
    *,
    project: Project,
    name: str,
    scopes: Sequence[str],
    created_by: User | None,
    now: datetime,
    expires_in_days: int | None = None,
    actor: Actor = COMMAND_LINE,
) -> NewToken:
    """Make an API token of `project`. Writes its hash only, and an audit entry. Raises TokenInvalid, ProjectGone."""
    refuse_bad_token(name=name, scopes=scopes, expires_in_days=expires_in_days)
    secret = f"bloop_tk_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token = ApiToken.objects.create(
            id=str(uuid.uuid4()),
            name=name.strip(),
            token_hash=hashed(secret),
            token_prefix=secret[:16],
            project=locked_project(project.pk),
            scopes=sorted(set(scopes)),
            created_by=created_by,
            created_at=now,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days is not None else None,
        )
        audit(token, action=Action.TOKEN_CREATED, actor=actor, now=now)
    return NewToken(token, secret)


def refuse_bad_token(*, name: str, scopes: Sequence[str], expires_in_days: int | None) -> None:
    """Raise TokenInvalid for what no token may have."""
    if not name.strip() or len(name.encode()) > 100:
        raise TokenInvalid("name must be 1-100 characters")
    if not scopes:
        raise TokenInvalid("at least one scope is required")
    for scope in scopes:
        if scope not in SCOPES:
            raise TokenInvalid(f"invalid scope: {scope}")
    if expires_in_days is not None and not 0 <= expires_in_days <= 36_500:
        raise TokenInvalid("expires_in_days must be 0 to 36500")


def revoke_token(*, token_id: str, by: User, actor: Actor, now: datetime) -> None:
    """End a token at once, in every process: each request asks for it. The row stays (contract 5.2).

    Who may: who manages the project, and who made the token. Raises TokenGone, TokenForbidden.
    """
    with transaction.atomic():
        token = ApiToken.objects.select_related("project").filter(pk=token_id, revoked_at=None).first()
        if token is None:
            raise TokenGone
        if token.created_by_id != by.pk and not may_manage(by, token.project):
            raise TokenForbidden if may_see(by, token.project) else TokenGone
        if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            raise TokenGone
        audit(token, action=Action.TOKEN_REVOKED, actor=actor, now=now)


def audit(token: ApiToken, *, action: Action, actor: Actor, now: datetime) -> None:
    """Write the audit entry of an act on a token."""
    detail = {"token": token.pk, "scopes": token.scopes}
    record(actor=actor, action=action, target=token.name, now=now, project_id=token.project_id, detail=detail)


def note_token_use(token: ApiToken, *, now: datetime) -> None:
    """Write the token's last use, at most once a minute."""
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
