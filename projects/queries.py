"""Questions about keys and tokens, asked on every request and therefore never cached: revoked means now."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q

from accounts.secret import hashed
from projects.models import ApiToken, IngestKey, Project


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whom an ingest key signs for."""

    key: str
    project_id: str
    grouping: str


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
    if "\x00" in key or len(key) > 512:
        return None
    with connection.cursor() as cursor:
        cursor.execute(OWNER_SQL, [key, connection.ops.adapt_datetimefield_value(now)])
        row = cursor.fetchone()
    return KeyOwner(*row) if row else None


def newest_keys(*, now: datetime, limit: int) -> list[KeyOwner]:
    """Up to `limit` valid ingest keys, newest first (rule H1)."""
    valid = IngestKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    rows = valid.order_by("-created_at", "-pk").values_list("key", "project_id", "project__grouping")[:limit]
    return [KeyOwner(*row) for row in rows]


def grouping_of(project_id: str) -> str:
    """The project's fingerprint version; "v1" for one that is gone."""
    return Project.objects.filter(pk=project_id).values_list("grouping", flat=True).first() or "v1"


def valid_token(secret: str, *, now: datetime) -> ApiToken | None:
    """The unrevoked, unexpired token with this secret."""
    token = ApiToken.objects.select_related("project").filter(token_hash=hashed(secret), revoked_at=None).first()
    if token is None or (token.expires_at is not None and token.expires_at < now):
        return None
    return token
