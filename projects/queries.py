"""Questions about projects, their keys and tokens; what every request asks is never cached: revoked means now."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q

from accounts.models import User
from accounts.secret import hashed
from projects.access import live_projects
from projects.models import ApiToken, IngestKey, InvitedTo, Project, Removal


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whom an ingest key signs for."""

    key: str
    project_id: str
    grouping: str


MAX_KEY = 512

# Plain SQL: this is asked for every ingest request, and the ORM costs more than the query.
OWNER_SQL = """
    SELECT k.key, k.project_id, p.grouping
    FROM projects_ingestkey k JOIN projects_project p ON p.id = k.project_id
    WHERE k.key = %s AND (k.expires_at IS NULL OR k.expires_at > %s)
"""


# For a statement that writes: the key still signs for this project, with this grouping.
STILL_OWNS_SQL = """
    WHERE EXISTS (
        SELECT 1 FROM projects_ingestkey k JOIN projects_project p ON p.id = k.project_id
        WHERE k.project_id = %s AND p.grouping = %s AND k.key = %s AND (k.expires_at IS NULL OR k.expires_at > %s)
    )
"""


def still_owns(owner: KeyOwner, *, now: datetime) -> tuple[str, tuple[object, ...]]:
    """The condition, with its parameters, that `owner_of_key` would still answer the same at `now`."""
    at = connection.ops.adapt_datetimefield_value(now)
    return STILL_OWNS_SQL, (owner.project_id, owner.grouping, owner.key, at)


def owner_of_key(key: str, *, now: datetime) -> KeyOwner | None:
    """The project of an ingest key that is valid at `now`."""
    if "\x00" in key or len(key) > MAX_KEY:
        return None
    with connection.cursor() as cursor:
        cursor.execute(OWNER_SQL, [key, connection.ops.adapt_datetimefield_value(now)])
        row = cursor.fetchone()
    return KeyOwner(*row) if row else None


def projects_of_keys(keys: Collection[str]) -> dict[str, str]:
    """The project ids of these ingest keys, ended ones too; a key nobody has, or had, is left out."""
    return dict(IngestKey.objects.filter(key__in=keys).values_list("key", "project_id")) if keys else {}


def newest_keys(*, now: datetime, limit: int) -> list[KeyOwner]:
    """Up to `limit` valid ingest keys, newest first (rule H1)."""
    valid = IngestKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    rows = valid.order_by("-created_at", "-pk").values_list("key", "project_id", "project__grouping")[:limit]
    return [KeyOwner(*row) for row in rows]


def grouping_of(project_id: str) -> str:
    """The project's fingerprint version; "v1" for one that is gone."""
    return Project.objects.filter(pk=project_id).values_list("grouping", flat=True).first() or "v1"


def valid_token(secret: str, *, now: datetime) -> ApiToken | None:
    """The unrevoked, unexpired token with this secret, its project loaded."""
    tokens = ApiToken.objects.select_related("project").filter(token_hash=hashed(secret), revoked_at=None)
    token = tokens.filter(project__removing_at=None).first()
    if token is None or (token.expires_at is not None and token.expires_at < now):
        return None
    return token


def tokens_of(project: Project) -> list[ApiToken]:
    """Every token of the project, the newest first, revoked ones too, with who made them (contract 5.2)."""
    return list(ApiToken.objects.filter(project=project).select_related("created_by").order_by("-created_at", "pk"))


def keys_of(project: Project, *, now: datetime) -> list[IngestKey]:
    """The keys that sign for the project at `now`, the newest first; those with an end are in their grace period."""
    valid = IngestKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), project=project)
    return list(valid.order_by("-created_at", "-pk"))


def members_of(project: Project) -> list[User]:
    """Who belongs to the project, by name. Admins reach it without belonging."""
    return list(User.objects.filter(memberships__project=project).order_by("username"))


def find_project(name: str) -> Project | None:
    """The project with this id, else with this slug (contract 5.2), whoever asks."""
    if not name or "\x00" in name:
        return None
    return live_projects().filter(pk=name).first() or live_projects().filter(slug=name).first()


def invited_projects(token_hashes: Sequence[str]) -> defaultdict[str, list[Project]]:
    """The projects that each of these invites opens, by name."""
    found: defaultdict[str, list[Project]] = defaultdict(list)
    rows = InvitedTo.objects.filter(invite__in=token_hashes, project__removing_at=None).select_related("project")
    for row in rows.order_by("project__name", "project_id"):
        found[row.invite_id].append(row.project)
    return found


@dataclass(frozen=True)
class RemovalProgress:
    """A deleted project whose rows are still being removed; rows_total is 0 until they have been counted."""

    id: int
    name: str
    slug: str
    started_at: datetime
    rows_total: int
    rows_removed: int

    @property
    def percent(self) -> int:
        """0 to 100; 100 is only said of what is gone."""
        return min(99, self.rows_removed * 100 // self.rows_total) if self.rows_total else 0


def removals_running() -> list[RemovalProgress]:
    """The removals that are not finished, the oldest first."""
    rows = Removal.objects.filter(finished_at=None).order_by("pk")
    return [
        RemovalProgress(row.pk, row.name, row.slug, row.started_at, row.rows_total, row.rows_removed) for row in rows
    ]
