"""Issues in the Django admin: found and seen, their status changed as anywhere else. Events are too many for it."""

from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from bloop_site.lib.admin import BloopAdmin, Refused, act, choice_filter, client_text, column, moment, related
from bloop_site.lib.clock import now_ms
from bloop_site.templatetags.ui import count, status_badge
from errors.contract import decode_events
from errors.models import Issue, Status
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
