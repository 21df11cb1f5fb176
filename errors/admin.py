"""Issues and source maps in the Django admin: found and seen, acted on as anywhere else. Events are too many for it."""

from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from accounts.access import actor_of
from bloop_site.lib.admin import BloopAdmin, Refused, act, choice_filter, client_text, column, moment, related
from bloop_site.lib.clock import now_ms
from bloop_site.templatetags.ui import count, status_badge
from errors.contract import decode_events
from errors.models import Issue, SourceMap, Status
from errors.services.sourcemaps import SourceMapGone, delete_source_map
from errors.services.status import Actor, IssueGone, change_status
from errors.statuses import Change
from ingest import preview

preview.register("errors", lambda body: [msgspec.structs.asdict(event) for event in decode_events(body)])
STATUS = column(
    "status", "Status", lambda row: status_badge(row.status, regressed=row.regressed_ms is not None), ordering="status"
)
EVENTS = column("total_count", "Events", lambda row: count(row.total_count))


@admin.register(Issue)
class IssueAdmin(BloopAdmin):
    """Written by events; people change its status."""

    list_display = (
        client_text("error_type", "Type", limit=80),
        client_text("message", "Message", limit=120),
        STATUS,
        related("project", "Project"),
        EVENTS,
        moment("first_seen_ms", "First seen", ago=True),
        moment("last_seen_ms", "Last seen", ago=True),
    )
    sortable_by = ("total_count", "first_seen_ms", "last_seen_ms")  # each has its index
    list_filter = (choice_filter(name="status", words="status", options=Status.choices), "project")
    list_select_related = ("project",)
    search_fields = ("error_type", "message")
    ordering = ("-last_seen_ms", "-pk")
    fields = (
        client_text("error_type", "Type"),
        client_text("message", "Message", limit=10_000),
        STATUS,
        moment("status_changed_ms", "Status since"),
        related("project", "Project", link=True),
        client_text("source", "Source"),
        client_text("route", "Route"),
        client_text("screen", "Screen"),
        EVENTS,
        moment("first_seen_ms", "First seen"),
        moment("last_seen_ms", "Last seen"),
        client_text("fingerprint", "Fingerprint"),
    )
    actions = ("resolve", "ignore", "mute", "unresolve")
    empty_words = "When the first error arrives, its issue stands here."

    def named(self, row: Issue) -> str:
        return f"{row.error_type}: {row.message}"[:100]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Issue]:
        rows: QuerySet[Issue] = super().get_queryset(request).select_related("project")
        return rows.filter(project__removing_at=None)

    def view_on_site(self, obj: Issue) -> str:  # type: ignore[override]  # Django takes a method as well as a bool
        return reverse("errors:detail", args=[obj.project.slug, obj.fingerprint])

    def can(self, name: str, row: Any) -> bool:
        return str(row.status) != {"resolve": "resolved", "ignore": "ignored", "mute": "muted"}.get(name, "unresolved")

    def set_status(self, request: Any, rows: QuerySet[Issue], status: Status, *, done: str) -> None:
        """Change the status of each, as the signed-in person."""

        def one(row: Issue) -> bool:
            try:
                actor = Actor(request.user.pk)
                made = change_status(issue_id=row.pk, change=Change(status), actor=actor, now_ms=now_ms())
            except IssueGone:
                raise Refused("is gone") from None
            return made is not None

        self.do(request, rows, one, done=done)

    @act("Resolve", but={"status": Status.RESOLVED})
    def resolve(self, request: HttpRequest, rows: QuerySet[Issue]) -> None:
        self.set_status(request, rows, Status.RESOLVED, done="resolved")

    @act("Ignore", but={"status": Status.IGNORED})
    def ignore(self, request: HttpRequest, rows: QuerySet[Issue]) -> None:
        self.set_status(request, rows, Status.IGNORED, done="ignored")

    @act("Mute", but={"status": Status.MUTED})
    def mute(self, request: HttpRequest, rows: QuerySet[Issue]) -> None:
        self.set_status(request, rows, Status.MUTED, done="muted")

    @act("Unresolve", but={"status": Status.UNRESOLVED})
    def unresolve(self, request: HttpRequest, rows: QuerySet[Issue]) -> None:
        self.set_status(request, rows, Status.UNRESOLVED, done="unresolved again")


@admin.register(SourceMap)
class SourceMapAdmin(BloopAdmin):
    """Uploaded by builds and people; what is in a map is nowhere read but for stacks."""

    one, many = "source map", "source maps"
    list_display = (
        client_text("filename", "File", limit=160),
        client_text("release", "Release", limit=80),
        related("project", "Project"),
        column("size_bytes", "Size", lambda row: filesizeformat(row.size_bytes)),
        moment("uploaded_at", "Uploaded", ago=True),
        related("uploaded_by", "By"),
    )
    sortable_by = ()
    list_filter = ("project",)
    list_select_related = ("project", "uploaded_by")
    search_fields = ("filename", "release")
    ordering = ("-uploaded_at", "-pk")
    fields = (
        client_text("filename", "File", limit=1_000),
        client_text("release", "Release"),
        related("project", "Project", link=True),
        column("size_bytes", "Size", lambda row: filesizeformat(row.size_bytes)),
        column("stored_bytes", "Compressed", lambda row: filesizeformat(row.stored_bytes)),
        client_text("sha256", "SHA-256"),
        moment("uploaded_at", "Uploaded"),
        related("uploaded_by", "By", link=True),
    )
    actions = ("delete_maps",)
    empty_words = "Source maps are uploaded in a project's settings, or by CI."

    def named(self, row: SourceMap) -> str:
        return f"{row.filename} of {row.release}"[:100]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceMap]:
        rows: QuerySet[SourceMap] = super().get_queryset(request).select_related("project", "uploaded_by")
        return rows.defer("content").filter(project__removing_at=None)

    def view_on_site(self, obj: SourceMap) -> str:  # type: ignore[override]  # Django takes a method as well as a bool
        return reverse("errors:source-maps", args=[obj.project.slug])

    @act("Delete", ask="Stacks that need them are shown as they came. They can be uploaded again.", at_once=100)
    def delete_maps(self, request: Any, rows: QuerySet[SourceMap]) -> None:
        def one(row: SourceMap) -> None:
            try:
                delete_source_map(project=row.project, map_id=row.pk, actor=actor_of(request), now=timezone.now())
            except SourceMapGone:
                raise Refused("is gone") from None

        self.do(request, rows, one, done="deleted")
