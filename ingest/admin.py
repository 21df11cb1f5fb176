"""Dead letters in the Django admin: what could not be stored and why, to be retried or discarded."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.access import actor_of
from bloop_site.lib.admin import BloopAdmin, act, client_text, column, moment
from bloop_site.templatetags.ui import EN_DASH, count, visible
from ingest import dead
from ingest.buffer import BufferFull
from ingest.models import DeadPayload
from ingest.preview import readable
from ingest.registry import handlers
from projects.models import Project

PREVIEW = 20_000
AT_ONCE = 50_000  # a row is moved in a few microseconds, by two statements for a thousand


class KindFilter(admin.SimpleListFilter):
    """The kinds that somebody folds."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in sorted(handlers())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadPayload]) -> QuerySet[DeadPayload]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ProjectFilter(admin.SimpleListFilter):
    """The projects there are; the column is no foreign key."""

    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Project.objects.filter(removing_at=None).order_by("name", "pk").values_list("pk", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadPayload]) -> QuerySet[DeadPayload]:
        return queryset.filter(project_id=self.value()) if self.value() else queryset


def preview(letter: DeadPayload) -> SafeString:
    """The body as people read it."""
    text = readable(kind=letter.kind, body=bytes(letter.body), limit=PREVIEW)
    return format_html('<pre class="code code--wrap" tabindex="0"><code>{}</code></pre>', visible(text))


PROJECT = column("project_name", "Project", lambda row: row.project_name or EN_DASH)
ITEMS = column("items", "Items", lambda row: count(row.items))


@admin.register(DeadPayload)
class DeadPayloadAdmin(BloopAdmin):
    """Nothing is lost here: a letter stays until somebody retries or discards it."""

    one, many = "dead letter", "dead letters"
    list_display = (
        client_text("reason", "Reason", limit=160),
        client_text("kind", "Kind"),
        PROJECT,
        ITEMS,
        moment("received_ms", "Received", ago=True),
        moment("buried_ms", "Buried", ago=True),
    )
    sortable_by = ("buried_ms",)
    list_filter = (KindFilter, ProjectFilter)
    search_fields = ("reason",)
    ordering = ("-buried_ms", "-pk")
    fields = (
        client_text("reason", "Reason", limit=2_000),
        client_text("kind", "Kind"),
        PROJECT,
        ITEMS,
        moment("received_ms", "Received"),
        moment("buried_ms", "Buried"),
        column("preview", "Payload", preview),
    )
    actions = ("retry", "discard")
    empty_words = "Everything that was accepted could be stored."

    def named(self, row: DeadPayload) -> str:
        return row.reason[:100]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadPayload]:
        """With the project's name, without the bodies, which may be large."""
        name = Project.objects.filter(pk=OuterRef("project_id")).values("name")
        rows: QuerySet[DeadPayload] = super().get_queryset(request).annotate(project_name=Subquery(name))
        return rows.defer("body")

    @act(
        "Retry",
        ask="They go back to the others that wait, and are stored within seconds, or buried again.",
        at_once=AT_ONCE,
    )
    def retry(self, request: Any, rows: QuerySet[DeadPayload]) -> None:
        self.settle(request, rows, dead.retry, done="on the way again")

    @act("Discard", ask="What they hold is lost for good.", at_once=AT_ONCE)
    def discard(self, request: Any, rows: QuerySet[DeadPayload]) -> None:
        self.settle(request, rows, dead.discard, done="discarded")

    def settle(self, request: Any, rows: QuerySet[DeadPayload], service: Callable[..., int], *, done: str) -> None:
        """Do it to all of them at once, and say how many there were."""
        ids = list(rows.values_list("pk", flat=True))
        try:
            number = service(ids=ids, actor=actor_of(request), now=timezone.now())
        except BufferFull:
            messages.error(request, "The buffer is full. Try again when the worker has caught up.")
            return
        if not ids:
            messages.warning(request, "There was nothing to do.")
        if number:
            messages.success(request, f"{number:,} {self.one if number == 1 else self.many} {done}.")
        if number < len(ids):
            left = len(ids) - number
            words = (
                "was gone already, or is of a kind nobody stores"
                if left == 1
                else ("were gone already, or are of a kind nobody stores")
            )
            messages.warning(request, f"{left:,} {words}.")
