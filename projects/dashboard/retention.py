"""Settings, retention: for how long data is kept, how much there is, and what is being removed. For admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import actor_of, admin_page
from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms, to_ms
from bloop_site.lib.links import page_links
from bloop_site.lib.pagination import Page, page_of
from projects import queries, tasks
from projects.access import visible_projects
from projects.dashboard.forms import RetentionForm, own_days_name
from projects.models import PurgeRun
from projects.retention import global_days, own_days, words_of
from projects.services.policies import PolicyInvalid, update_policies
from projects.services.retention import SPACE, start_purge
from projects.storage import storage

PAGE_SIZE = 50
RUNS_SHOWN = 8


# --- For how long -----------------------------------------------------------------------------------------------------


@never_cache
@admin_page
@require_http_methods(["GET", "HEAD", "POST"])
def retention_page(request: PageRequest) -> HttpResponse:
    """The days for all and for each project; POST sets those that were changed."""
    projects, page = projects_shown(request)
    days = global_days()
    initial = {"raw_events_days": days.raw_events, "hourly_counts_days": days.hourly_counts}
    form = RetentionForm(request.POST if request.method == "POST" else None, initial=initial, projects=projects)
    if form.is_bound and form.is_valid() and save(request, form, [project_id for project_id, _, _ in projects]):
        return redirect(request.get_full_path())
    context = {
        "form": form,
        "rows": [row_of(form, project, everywhere=days.raw_events) for project in projects],
        "page": page_links(request.GET, page),
        "own_count": sum(own is not None for _, _, own in projects),
        **state_context(),
    }
    return render(request, "settings/retention.html", context, status=422 if form.errors else 200)


def projects_shown(request: PageRequest) -> tuple[list[tuple[str, str, int | None]], Page]:
    """The page asked for of all projects by name: id, name, days of its own."""
    projects = visible_projects(request.user)
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=projects.count())
    own = own_days()
    names = projects.values_list("pk", "name")[page.offset : page.offset + page.size]
    return [(project_id, name, own.get(project_id)) for project_id, name in names], page


@dataclass(frozen=True)
class ProjectRow:
    """A project's field, and for how many days its events are kept as it stands."""

    name: str
    field: Any
    days: int
    is_own: bool


def row_of(form: RetentionForm, project: tuple[str, str, int | None], *, everywhere: int) -> ProjectRow:
    """The row of a project (id, name, days of its own); `everywhere`: the days of those without."""
    project_id, name, own = project
    return ProjectRow(name, form[own_days_name(project_id)], own or everywhere, is_own=own is not None)


def save(request: PageRequest, form: RetentionForm, project_ids: Sequence[str]) -> bool:
    """Set what was changed. Returns whether that was taken; else the form says why not."""
    own = {project_id: form.changed_days(own_days_name(project_id)) for project_id in project_ids}
    try:
        changed = update_policies(
            actor=actor_of(request),
            now=timezone.now(),
            raw_events_days=form.changed_days("raw_events_days"),
            hourly_counts_days=form.changed_days("hourly_counts_days"),
            own_raw_days={project_id: days for project_id, days in own.items() if days is not None},
        )
    except PolicyInvalid:  # the form has looked at the numbers
        form.refuse(None, "One of these projects is gone; see what is left and save again")
        return False
    if changed:
        messages.success(request, "Saved. What is too old now goes with the next purge.")
    else:
        messages.success(request, "Nothing was different.")
    return True


# --- What there is, and what goes -------------------------------------------------------------------------------------


@never_cache
@admin_page
@require_safe
def state(request: PageRequest) -> HttpResponse:
    """Storage and purges alone, fetched every 2 seconds while one runs."""
    return render(request, "settings/retention.html#state", state_context())


@admin_page
@require_POST
def purge(request: PageRequest) -> HttpResponse:
    """Begin a pass now; the worker does the work."""
    started = start_purge(actor=actor_of(request), now=timezone.now())
    tasks.start_purging()
    if not started.is_new:
        messages.success(request, "A purge was running already: it does the same.")
    return redirect("settings:retention")


@dataclass(frozen=True)
class RunRow:
    """A pass of retention. total: at least 1, for the bar; times in epoch ms; failures: what, and why."""

    started_ms: int
    finished_ms: int | None
    asked_by: str
    removed: int
    total: int
    is_counted: bool
    parts: list[tuple[int, str]]
    bytes_returned: int
    took: str
    failures: list[tuple[str, str]]
    is_returning: bool  # all rows are gone and the file is being cut


def run_row(run: PurgeRun) -> RunRow:
    """The run in words and numbers."""
    lines = [line.partition(": ") for line in run.failure.splitlines()]
    return RunRow(
        started_ms=to_ms(run.started_at),
        finished_ms=to_ms(run.finished_at) if run.finished_at else None,
        asked_by=run.requested_by.username if run.requested_by else "",
        removed=run.rows_removed,
        total=max(1, run.rows_total, run.rows_removed),
        is_counted=run.rows_total > 0,
        parts=[(number, words_of(name, count=number)) for name, number in run.removed.items() if number],
        bytes_returned=run.bytes_returned,
        took=span_words((run.finished_at - run.started_at).total_seconds()) if run.finished_at else "",
        failures=[(words_of(name) if name != SPACE else "room in the file", why) for name, _, why in lines],
        is_returning=0 < run.rows_total == run.rows_removed,
    )


def span_words(seconds: float) -> str:
    """0.42 -> "0.4 s", 95 -> "1 min 35 s", 7260 -> "2 h 1 min"."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def state_context() -> dict[str, Any]:
    """Room, rows and runs, with the words for who cannot see the bar: they change when a purge begins or ends."""
    rows = [run_row(run) for run in queries.recent_purges(limit=RUNS_SHOWN)]
    running = next((row for row in rows if row.finished_ms is None), None)
    held = storage(now_ms=now_ms())
    return {
        "running": running,
        "runs": [row for row in rows if row is not running],
        "storage": held,
        "samples": settings.BLOOP.pipeline.sample_reservoir_size,
        "database_name": settings.BLOOP.database.path.name,
        "announce": announcement(rows, running),
    }


def announcement(rows: list[RunRow], running: RunRow | None) -> str:
    """What has changed, for who cannot see it; empty before the first purge."""
    if running:
        return "Purging what is too old"
    return f"The last purge removed {rows[0].removed:,} rows" if rows else ""
