"""Makes projects, their keys and tokens. Secrets are returned once, here, and shown by whoever called."""

import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.secret import hashed
from projects.models import DEFAULT_ID, ApiToken, Grouping, IngestKey, Project
from projects.scopes import SCOPES

SLUG = re.compile(r"[a-z0-9-]{1,64}")
API_KEY = re.compile(r"[!-~]{1,128}")  # it travels in a header


class ProjectInvalid(Exception):
    """The name, slug or key cannot be used; the text is contract 5.1's."""


class TokenInvalid(Exception):
    """The token cannot be made; the text is contract 5.2's."""


@dataclass(frozen=True)
class NewProject:
    project: Project
    api_key: str


@dataclass(frozen=True)
class NewToken:
    token: ApiToken
    secret: str


def new_id() -> str:
    """A UUID v4 as text: ids of projects and tokens travel as strings (contract 5.1)."""
    return str(uuid.uuid4())


def new_api_key() -> str:
    """`bloop_` and 64 hex characters (contract 5.1)."""
    return f"bloop_{secrets.token_hex(32)}"


def create_project(
    *, name: str, slug: str, created_by: User | None, now: datetime, api_key: str | None = None
) -> NewProject:
    """Make a project with one ingest key. Raises ProjectInvalid, having written nothing."""
    if not name.strip():
        raise ProjectInvalid("name is required")
    if not slug:
        raise ProjectInvalid("slug is required")
    if not SLUG.fullmatch(slug):
        raise ProjectInvalid("slug must be lowercase alphanumeric with hyphens")
    if Project.objects.filter(slug=slug).exists():
        raise ProjectInvalid("a project with that slug already exists")
    key = api_key or new_api_key()
    if not API_KEY.fullmatch(key):
        raise ProjectInvalid("an API key is 1 to 128 printable ASCII characters without spaces")
    try:
        with transaction.atomic():
            project = Project.objects.create(
                id=new_id(), name=name.strip()[:100], slug=slug, created_by=created_by, created_at=now
            )
            IngestKey.objects.create(project=project, key=key, created_at=now)
    except IntegrityError:
        raise ProjectInvalid("that slug or API key is already in use") from None
    return NewProject(project, key)


def ensure_default(*, now: datetime) -> None:
    """Make the project `default` if it is missing, with the key contract 1.1 gives it.

    The key is the configured `auth.hmac_secret`, else BLOOP_DEFAULT_API_KEY, else a new one.
    """
    with transaction.atomic():
        project, created = Project.objects.get_or_create(
            id=DEFAULT_ID, defaults={"name": "Default", "slug": DEFAULT_ID, "created_at": now}
        )
        if created:
            key = settings.BLOOP.auth.hmac_secret or settings.BLOOP.default_api_key or new_api_key()
            IngestKey.objects.create(project=project, key=key, created_at=now)


def choose_grouping(*, project_id: str, grouping: str) -> None:
    """Group the project's events from now on by `grouping`, "v1" or "v2". Raises ProjectInvalid."""
    if grouping not in Grouping.values:
        raise ProjectInvalid("grouping must be v1 or v2")
    Project.objects.filter(pk=project_id).update(grouping=grouping)


def issue_token(
    *,
    project: Project,
    name: str,
    scopes: Sequence[str],
    created_by: User | None,
    now: datetime,
    expires_in_days: int | None = None,
) -> NewToken:
    """Make an API token of `project`. Writes its hash only. Raises TokenInvalid."""
    if not name.strip() or len(name.encode()) > 100:
        raise TokenInvalid("name must be 1-100 characters")
    if not scopes:
        raise TokenInvalid("at least one scope is required")
    for scope in scopes:
        if scope not in SCOPES:
            raise TokenInvalid(f"invalid scope: {scope}")
    if expires_in_days is not None and not 0 <= expires_in_days <= 36_500:
        raise TokenInvalid("expires_in_days must be 0 to 36500")
    secret = f"bloop_tk_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        id=new_id(),
        name=name.strip(),
        token_hash=hashed(secret),
        token_prefix=secret[:16],
        project=project,
        scopes=sorted(set(scopes)),
        created_by=created_by,
        created_at=now,
        expires_at=now + timedelta(days=expires_in_days) if expires_in_days is not None else None,
    )
    return NewToken(token, secret)


def note_token_use(token: ApiToken, *, now: datetime) -> None:
    """Write the token's last use, at most once a minute."""
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
