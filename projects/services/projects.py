"""Makes and changes projects. An API key is returned once, here, and shown by whoever called."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.audit import COMMAND_LINE, Action, Actor, record
from accounts.models import User
from projects.models import DEFAULT_ID, SLUG, Grouping, IngestKey, Membership, Project
from projects.services.keys import new_api_key
from projects.services.locking import locked_project

API_KEY = re.compile(r"[!-~]{1,128}")  # it travels in a header
MAX_NAME = 100


class ProjectInvalid(Exception):
    """The name, slug or key cannot be used; the text is contract 5.1's."""


@dataclass(frozen=True)
class NewProject:
    project: Project
    api_key: str


def create_project(
    *,
    name: str,
    slug: str,
    created_by: User | None,
    now: datetime,
    api_key: str | None = None,
    actor: Actor = COMMAND_LINE,
) -> NewProject:
    """Make a project with one ingest key; a creator who is no admin becomes a member of it.

    Raises ProjectInvalid, having written nothing.
    """
    kept_name = clean_name(name)
    if not slug:
        raise ProjectInvalid("slug is required")
    if not SLUG.fullmatch(slug):
        raise ProjectInvalid("slug must be lowercase alphanumeric with hyphens")
    refuse_taken(slug)
    key = api_key or new_api_key()
    if not API_KEY.fullmatch(key):
        raise ProjectInvalid("an API key is 1 to 128 printable ASCII characters without spaces")
    try:
        with transaction.atomic():
            project = Project.objects.create(
                id=str(uuid.uuid4()), name=kept_name, slug=slug, created_by=created_by, created_at=now
            )
            IngestKey.objects.create(project=project, key=key, created_at=now)
            if created_by is not None and not created_by.is_admin:
                Membership.objects.create(project=project, user=created_by)
            audit(project, action=Action.PROJECT_CREATED, actor=actor, now=now)
    except IntegrityError:
        refuse_taken(slug)
        raise ProjectInvalid("that slug or API key is already in use") from None
    return NewProject(project, key)


def clean_name(name: str) -> str:
    """The name as it is kept: trimmed, at most 100 characters. Raises ProjectInvalid."""
    if not name.strip():
        raise ProjectInvalid("name is required")
    return name.strip()[:MAX_NAME].strip()


def refuse_taken(slug: str) -> None:
    """Raise ProjectInvalid when a project has the slug."""
    if Project.objects.filter(slug=slug).exists():
        raise ProjectInvalid("a project with that slug already exists")


def rename_project(*, project: Project, name: str, actor: Actor, now: datetime) -> Project:
    """Give the project another name; its slug stays. Raises ProjectInvalid, ProjectGone."""
    kept_name = clean_name(name)
    with transaction.atomic():
        locked = locked_project(project.pk)
        if locked.name != kept_name:
            detail = {"name": [locked.name, kept_name]}
            locked.name = kept_name
            locked.save(update_fields=["name"])
            audit(locked, action=Action.PROJECT_CHANGED, actor=actor, now=now, detail=detail)
    return locked


def choose_grouping(*, project: Project, grouping: str, actor: Actor, now: datetime) -> Project:
    """Group the project's events from now on by `grouping`, "v1" or "v2". Raises ProjectInvalid, ProjectGone."""
    if grouping not in Grouping.values:
        raise ProjectInvalid("grouping must be v1 or v2")
    with transaction.atomic():
        locked = locked_project(project.pk)
        if locked.grouping != grouping:
            detail = {"grouping": [locked.grouping, grouping]}
            locked.grouping = grouping
            locked.save(update_fields=["grouping"])
            audit(locked, action=Action.PROJECT_CHANGED, actor=actor, now=now, detail=detail)
    return locked


def audit(
    project: Project, *, action: Action, actor: Actor, now: datetime, detail: dict[str, list[str]] | None = None
) -> None:
    """Write the audit entry of an act on a project."""
    record(actor=actor, action=action, target=project.name, now=now, project_id=project.pk, detail=detail)


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
