"""Settings, projects: the list, a new one, and how far the removal of deleted ones has come."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import actor_of
from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import page_links
from bloop_site.lib.once import keep_once
from projects.dashboard.forms import ProjectForm
from projects.dashboard.rows import RemovalRow, project_rows, removal_rows
from projects.services.projects import NewProject, ProjectInvalid, create_project


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def project_list(request: PageRequest) -> HttpResponse:
    """The projects a person sees; POST makes one and leads to its page, where its key is shown once."""
    form = ProjectForm(request.POST if request.method == "POST" else None)
    new = make(request, form) if form.is_bound and form.is_valid() else None
    if new:
        keep_once(request, name=key_name(new.project.pk), value=new.api_key, now_ms=now_ms())
        return redirect("settings:project", new.project.slug)
    now = now_ms()
    rows, page = project_rows(request.user, wanted=request.GET.get("page"), now_ms=now)
    context = {"form": form, "rows": rows, "page": page_links(request.GET, page), **removal_context(request, now)}
    return render(request, "settings/projects.html", context, status=422 if form.errors else 200)


def make(request: PageRequest, form: ProjectForm) -> NewProject | None:
    """The new project, or None with the refusal in the form."""
    data = form.cleaned_data
    try:
        return create_project(
            name=data["name"],
            slug=data["slug"],
            created_by=request.user,
            now=timezone.now(),
            actor=actor_of(request),
        )
    except ProjectInvalid as reason:
        form.refuse_project(reason)
        return None


def key_name(project_id: str) -> str:
    """Under which name a project's new key waits to be shown."""
    return f"key of {project_id}"


@never_cache
@require_safe
def removals(request: PageRequest) -> HttpResponse:
    """The progress alone, fetched every 2 seconds while something is being removed."""
    return render(request, "settings/projects.html#removals", removal_context(request, now_ms()))


def removal_context(request: PageRequest, now: int) -> dict[str, Any]:
    """The removals with the words for who cannot see the bars: they change when one begins or ends, not in between."""
    rows = removal_rows(request.user, now_ms=now)
    running = [row for row in rows if not row.is_finished]
    return {"removals": rows, "running": bool(running), "announce": announcement(rows, running)}


def announcement(rows: list[RemovalRow], running: list[RemovalRow]) -> str:
    if not rows:
        return ""
    return f"Removing {', '.join(row.name for row in running)}" if running else f"{rows[0].name} is removed"
