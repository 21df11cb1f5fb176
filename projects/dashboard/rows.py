"""What the tables of the settings show: each row read with the whole table, however long it is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts.models import Passkey, Session, User
from accounts.queries import InviteRow
from bloop_site.lib.clock import DAY_MS, from_ms, to_ms
from bloop_site.lib.pagination import Page, page_of
from projects import queries
from projects.access import manageable_projects, visible_projects
from projects.figures import Figures, figures_of
from projects.models import ApiToken, IngestKey, Membership, Project, Removal

PAGE_SIZE = 50
ENDED_SHOWN = 50
SOON = timedelta(days=7)


def ms_or_none(at: datetime | None) -> int | None:
    """The instant in epoch ms, if there is one."""
    return to_ms(at) if at else None


# --- Projects ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProjectRow:
    """A project, who is in it, and whether anything comes in. Times in epoch ms."""

    name: str
    slug: str
    url: str
    is_own: bool
    members: int
    events_24h: int
    last_event_ms: int | None
    created_ms: int


def project_rows(user: User, *, wanted: str | None, now_ms: int) -> tuple[list[ProjectRow], Page]:
    """The page `wanted` of the projects this person sees, by name."""
    projects = visible_projects(user)
    page = page_of(wanted=wanted, size=PAGE_SIZE, total=projects.count())
    found = list(projects[page.offset : page.offset + page.size])
    ids = [project.pk for project in found]
    counted = Membership.objects.filter(project__in=ids).values_list("project_id").annotate(number=Count("pk"))
    members, figures = dict(counted), figures_of(ids, now_ms=now_ms)
    return [project_row(project, user, members=members, figures=figures) for project in found], page


def project_row(project: Project, user: User, *, members: dict[str, int], figures: dict[str, Figures]) -> ProjectRow:
    """One row, from what was read for all of them."""
    known = figures.get(project.pk, Figures(0, None))
    return ProjectRow(
        name=project.name,
        slug=project.slug,
        url=reverse("settings:project", args=[project.slug]),
        is_own=project.created_by_id == user.pk,
        members=members.get(project.pk, 0),
        events_24h=known.events_24h,
        last_event_ms=known.last_event_ms,
        created_ms=to_ms(project.created_at),
    )


@dataclass(frozen=True)
class RemovalRow:
    """A deleted project whose rows are going, or have gone within a day. total: at least 1, for the bar."""

    name: str
    removed: int
    total: int
    is_counted: bool
    finished_ms: int | None

    @property
    def is_finished(self) -> bool:
        return self.finished_ms is not None


def removal_rows(user: User, *, now_ms: int) -> list[RemovalRow]:
    """Removals that run, and those that ended in the last 24 hours: all for an admin, else what the person deleted."""
    recent = Removal.objects.filter(Q(finished_at=None) | Q(finished_at__gt=from_ms(now_ms - DAY_MS)))
    rows = recent if user.is_admin else recent.filter(requested_by=user)
    return [
        RemovalRow(
            name=row.name,
            removed=row.rows_removed,
            total=max(1, row.rows_total, row.rows_removed),
            is_counted=row.rows_total > 0,
            finished_ms=ms_or_none(row.finished_at),
        )
        for row in rows.order_by("-pk")[:PAGE_SIZE]
    ]


@dataclass(frozen=True)
class KeyRow:
    """An ingest key, of which only the last characters are shown."""

    id: int
    masked: str
    created_ms: int
    expires_ms: int | None


def key_rows(project: Project, *, now: datetime) -> list[KeyRow]:
    """The valid keys, the newest first."""
    return [key_row(key) for key in queries.keys_of(project, now=now)]


def key_row(key: IngestKey) -> KeyRow:
    return KeyRow(key.pk, masked(key.key), to_ms(key.created_at), ms_or_none(key.expires_at))


def masked(key: str) -> str:
    """`bloop_••••••••3f9a`: enough to tell keys apart, nothing of one that is short."""
    start = "bloop_" if key.startswith("bloop_") else ""
    end = key[-4:] if len(key) >= 32 else ""
    return f"{start}{'•' * 8}{end}"


# --- Tokens -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenRow:
    """An API token. state: "active", "revoked" or "expired"; times in epoch ms."""

    id: str
    name: str
    prefix: str
    project_name: str
    scopes: list[str]
    state: str
    created_ms: int
    last_used_ms: int | None
    expires_ms: int | None
    ended_ms: int | None
    ends_soon: bool


@dataclass(frozen=True)
class TokenTable:
    """Tokens in use, a page of them, and the newest of those that ended."""

    active: list[TokenRow]
    page: Page
    ended: list[TokenRow]
    ended_count: int


def token_table(user: User, *, wanted: str | None, now: datetime) -> TokenTable:
    """The tokens of every project this person may manage, the newest first."""
    tokens = ApiToken.objects.filter(project__in=manageable_projects(user).order_by()).select_related("project")
    active = tokens.filter(Q(expires_at=None) | Q(expires_at__gte=now), revoked_at=None)
    ended = tokens.filter(Q(revoked_at__isnull=False) | Q(expires_at__lt=now))
    page = page_of(wanted=wanted, size=PAGE_SIZE, total=active.count())
    found = active.order_by("-created_at", "pk")[page.offset : page.offset + page.size]
    last_ended = ended.order_by(Coalesce("revoked_at", "expires_at").desc(), "pk")[:ENDED_SHOWN]
    return TokenTable(
        active=[token_row(token, now=now) for token in found],
        page=page,
        ended=[token_row(token, now=now) for token in last_ended],
        ended_count=ended.count(),
    )


def token_row(token: ApiToken, *, now: datetime) -> TokenRow:
    """The row of a token whose project is loaded."""
    is_expired = token.expires_at is not None and token.expires_at < now
    state = "revoked" if token.revoked_at else "expired" if is_expired else "active"
    return TokenRow(
        id=token.pk,
        name=token.name,
        prefix=token.token_prefix,
        project_name=token.project.name,
        scopes=token.scopes,
        state=state,
        created_ms=to_ms(token.created_at),
        last_used_ms=ms_or_none(token.last_used_at),
        expires_ms=ms_or_none(token.expires_at),
        ended_ms=ms_or_none(token.revoked_at or token.expires_at),
        ends_soon=token.expires_at is not None and token.expires_at < now + SOON,
    )


# --- People -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonRow:
    """Somebody with an account. projects: names of those they are a member of; times in epoch ms."""

    id: Any
    username: str
    is_admin: bool
    is_you: bool
    projects: list[str]
    passkeys: int
    last_seen_ms: int | None
    joined_ms: int


def person_rows(user: User, *, wanted: str | None) -> tuple[list[PersonRow], Page]:
    """The page `wanted` of everybody, by name; `user` is who looks."""
    page = page_of(wanted=wanted, size=PAGE_SIZE, total=User.objects.count())
    people = with_figures(User.objects.order_by("username"))[page.offset : page.offset + page.size]
    found = list(people)
    projects = project_names([person.pk for person in found])
    rows = [
        PersonRow(
            id=person.pk,
            username=person.username,
            is_admin=person.is_admin,
            is_you=person.pk == user.pk,
            projects=projects[person.pk],
            passkeys=person.passkeys,
            last_seen_ms=ms_or_none(person.seen_at),
            joined_ms=to_ms(person.created_at),
        )
        for person in found
    ]
    return rows, page


def with_figures(people: "QuerySet[User]") -> "QuerySet[Any]":
    """Each with `passkeys`, how many they have, and `seen_at`, when a browser of theirs was last used."""
    passkeys = Passkey.objects.filter(user=OuterRef("pk"), confirmed=True).order_by().values("user")
    seen = Session.objects.filter(user=OuterRef("pk")).order_by().values("user")
    return people.annotate(
        passkeys=Coalesce(Subquery(passkeys.annotate(number=Count("pk")).values("number")), 0),
        seen_at=Subquery(seen.annotate(at=Max(Coalesce("last_seen_at", "created_at"))).values("at")),
    )


def project_names(user_ids: Sequence[Any]) -> defaultdict[Any, list[str]]:
    """The names of the projects each of these people is a member of, by name."""
    found: defaultdict[Any, list[str]] = defaultdict(list)
    rows = Membership.objects.filter(user__in=user_ids, project__removing_at=None).order_by("project__name", "pk")
    for user_id, name in rows.values_list("user_id", "project__name"):
        found[user_id].append(name)
    return found


# --- Invites ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenInvite:
    """An invite with the projects it opens. url: None when the server's secret has changed. Times in epoch ms."""

    token_hash: str
    url: str | None
    role: str
    state: str
    projects: list[str]
    created_ms: int
    created_by: str
    expires_ms: int
    ended_ms: int
    used_by: str


def invite_rows(rows: Sequence[InviteRow]) -> list[OpenInvite]:
    """The same invites, with their projects."""
    projects = queries.invited_projects([row.token_hash for row in rows])
    return [
        OpenInvite(
            token_hash=row.token_hash,
            url=row.url,
            role=row.role,
            state=row.state,
            projects=[project.name for project in projects[row.token_hash]],
            created_ms=to_ms(row.created_at),
            created_by=row.created_by_name,
            expires_ms=to_ms(row.expires_at),
            ended_ms=to_ms(row.used_at or row.revoked_at or row.expires_at),
            used_by=row.used_by_name,
        )
        for row in rows
    ]
