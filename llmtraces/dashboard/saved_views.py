"""The menu of saved views: saving the page as it is, and deleting a view."""

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from llmtraces.dashboard.shell import when_enabled
from llmtraces.queries.views import PAGES, kept_query, saved_views
from llmtraces.services.views import RefusedView, delete_view, save_view
from projects.access import project_by_slug, reach_of
from projects.models import Project

MENU = "llm/_views.html"


@when_enabled
@require_POST
def save(request: PageRequest) -> HttpResponse:
    """Save `page` and `query` as `name`; a name that is taken is answered 422 in place."""
    project = project_by_slug(request.user, request.POST.get("project", ""))
    page, name = request.POST.get("page", ""), request.POST.get("name", "")
    try:
        save_view(
            project=project,
            user=request.user,
            name=name,
            page=page,
            query=query_of(request),
            pages=PAGES,
            now_ms=now_ms(),
        )
    except RefusedView as refused:
        return menu(request, project, status=422, error=str(refused), name=name)
    return done(request, project, f"Saved the view “{name.strip()}”.")


@when_enabled
@require_POST
def delete(request: PageRequest) -> HttpResponse:
    """Delete the view `id` of the project."""
    project = project_by_slug(request.user, request.POST.get("project", ""))
    wanted = request.POST.get("id", "")
    is_id = wanted.isascii() and wanted.isdecimal() and len(wanted) < 19
    if not is_id or not delete_view(project=project, view_id=int(wanted)):
        msg = "no such view"
        raise Http404(msg)
    return done(request, project, "Deleted the view.")


def done(request: PageRequest, project: Project, words: str) -> HttpResponse:
    """To htmx the menu anew, open, with what was done; else back to the page."""
    if request.htmx:
        return menu(request, project, words=words)
    page, query = request.POST.get("page", ""), kept_query(QueryDict(query_of(request)))
    back = reverse(f"llm:{page if page in PAGES else 'overview'}")
    return redirect(f"{back}?project={project.slug}" + (f"&{query}" if query else ""))


def query_of(request: PageRequest) -> str:
    """The query string of the page the menu stands on."""
    return request.POST.get("query", "").removeprefix("?")


def menu(request: PageRequest, project: Project, *, status: int = 200, **told: str) -> HttpResponse:
    """The menu alone to htmx; else on a page of its own."""
    context = {
        "views": saved_views(reach_of(request.user, project_id=project.pk)),
        "project_slug": project.slug,
        "view_page": request.POST.get("page", ""),
        "view_query": query_of(request),
        "view": told,
        "is_open": True,
    }
    return render(request, MENU if request.htmx else "llm/view_refused.html", context, status=status)
