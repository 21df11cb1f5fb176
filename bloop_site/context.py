"""What every signed-in page's frame shows."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from bloop_site.health import Health, look
from projects.access import visible_projects


@dataclass(frozen=True)
class NavItem:
    label: str
    url: str
    icon: str
    active: bool


@dataclass(frozen=True)
class ProjectItem:
    name: str
    slug: str
    url: str
    active: bool


@dataclass(frozen=True)
class Frame:
    """Sections, projects to switch to, and how Bloop itself is doing."""

    nav: list[NavItem]
    projects: list[ProjectItem]
    project_name: str
    health: Any
    username: str


def frame(request: HttpRequest) -> dict[str, Any]:
    """The frame of a signed-in page; looked up only when a template asks for it."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    return {"frame": SimpleLazyObject(lambda: frame_of(request, user))}


def frame_of(request: HttpRequest, user: User) -> Frame:
    """Build the frame: two queries for projects and health, whatever there is."""
    slug = selected_slug(request)
    names = [("", "All projects"), *visible_projects(user).values_list("slug", "name")]
    projects = [ProjectItem(name, each, switch_url(request, each), each == slug) for each, name in names]
    current = next((item.name for item in projects if item.active), "All projects")
    health: Health = look()
    return Frame(
        nav=[NavItem("Errors", reverse("errors:list"), "errors", request.path.startswith("/errors"))],
        projects=projects,
        project_name=current,
        health={"ok": health.is_ok and not health.dead, "words": health.words},
        username=user.username,
    )


def selected_slug(request: HttpRequest) -> str:
    """The project the page is about, from its path or its query."""
    match = request.resolver_match
    return str((match.kwargs.get("project_slug") if match else None) or request.GET.get("project", ""))


def switch_url(request: HttpRequest, slug: str) -> str:
    """The list of another project. Filters stay; the page number goes, and a single issue's page leads to its list."""
    query = request.GET.copy()
    for name in ("project", "page", "sample"):
        query.pop(name, None)
    if slug:
        query["project"] = slug
    return reverse("errors:list") + (f"?{query.urlencode()}" if query else "")
