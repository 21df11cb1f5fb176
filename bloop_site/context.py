"""What every signed-in page's frame shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from alerts.dashboard.broken import broken_notice
from bloop_site.health import Health, look
from projects.access import visible_projects


@dataclass(frozen=True)
class NavItem:
    """A section, with its pages when it is open."""

    label: str
    url: str
    icon: str
    active: bool
    pages: tuple["NavItem", ...] = ()


@dataclass(frozen=True)
class SettingsPage:
    label: str
    name: str
    admins_only: bool


SETTINGS_PAGES = (
    SettingsPage("Projects", "settings:projects", admins_only=False),
    SettingsPage("API tokens", "settings:tokens", admins_only=False),
    SettingsPage("Alerts", "alerts:list", admins_only=False),
    SettingsPage("Members", "settings:members", admins_only=True),
    SettingsPage("Invites", "settings:invites", admins_only=True),
    SettingsPage("Retention", "settings:retention", admins_only=True),
    SettingsPage("Audit log", "settings:audit", admins_only=True),
    SettingsPage("Account", "settings:account", admins_only=False),
)


@dataclass(frozen=True)
class Section:
    """A section that has pages. path: where its addresses begin; kept: what stays of the address from page to page.

    pages: label and name of a route; below: pages of one thing, and the page of the section they belong to.
    """

    label: str
    path: str
    icon: str
    pages: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]
    below: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The route of its first page."""
        return self.pages[0][1]

    def holds(self, request: HttpRequest) -> bool:
        """Whether the page is one of the section."""
        return request.path == self.path or request.path.startswith(f"{self.path}/")

    def page_of(self, request: HttpRequest) -> str:
        """The route of the page that is shown, or that it belongs to."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        return self.below.get(name, name)


INSIGHTS = Section(
    label="Insights",
    path="/insights",
    icon="insights",
    pages=(
        ("Spikes", "insights:spikes"),
        ("Movers", "insights:movers"),
        ("Correlations", "insights:correlations"),
        ("Releases", "insights:releases"),
        ("Environments", "insights:environments"),
    ),
    kept=("hours", "from", "to", "environment"),
)
LLM = Section(
    label="LLM",
    path="/llm",
    icon="llm",
    pages=(
        ("Overview", "llm:overview"),
        ("Usage", "llm:usage"),
        ("Latency", "llm:latency"),
        ("Models", "llm:models"),
        ("Traces", "llm:traces"),
        ("Search", "llm:search"),
        ("Prompts", "llm:prompts"),
        ("Scores", "llm:scores"),
        ("Sessions", "llm:sessions"),
        ("Tools", "llm:tools"),
        ("RAG", "llm:rag"),
        ("Feedback", "llm:feedback"),
    ),
    kept=("hours", "from", "to", "model", "provider"),
    below={"llm:trace": "llm:traces", "llm:session": "llm:sessions", "llm:prompt": "llm:prompts"},
)


OF_ONE_PAGE = {"rule", "project", "page", "sample", "name", "tab", "hours", "from", "to", "id", "span", "open"}


@dataclass(frozen=True)
class ProjectItem:
    name: str
    slug: str
    url: str
    active: bool


@dataclass(frozen=True)
class Frame:
    """Sections, projects to switch to, and how Bloop itself is doing; `settings`: the pages of the settings.

    broken_channels: alerts that do not arrive; looked up only on pages that tell of them.
    """

    nav: list[NavItem]
    settings: list[NavItem]
    projects: list[ProjectItem]
    project_name: str
    health: Any
    username: str
    has_llm: bool
    broken_channels: Any


def frame(request: HttpRequest) -> dict[str, Any]:
    """The frame of a signed-in page; looked up only when a template asks for it."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    return {"frame": SimpleLazyObject(lambda: frame_of(request, user))}


def frame_of(request: HttpRequest, user: User) -> Frame:
    """Build the frame: two queries for projects and health, whatever there is."""
    in_settings = request.path.startswith("/settings")
    projects = [] if in_settings else project_items(request, user)
    health: Health = look()
    return Frame(
        nav=[
            NavItem("Errors", reverse("errors:list"), "errors", request.path.startswith("/errors")),
            NavItem("Releases", reverse("errors:releases"), "releases", in_releases(request)),
            *(section_item(request, section) for section in open_sections()),
            NavItem("Alerts", reverse("alerts:list"), "alerts", in_alerts(request)),
            NavItem("Settings", reverse("settings:projects"), "settings", in_settings),
        ],
        settings=settings_items(request, user) if in_settings else [],
        projects=projects,
        project_name=next((item.name for item in projects if item.active), "All projects"),
        health={"ok": health.is_ok and not health.dead, "words": health.words},
        username=user.username,
        has_llm=settings.BLOOP.llm_tracing.enabled,
        broken_channels=SimpleLazyObject(lambda: broken_notice(user)),
    )


def project_items(request: HttpRequest, user: User) -> list[ProjectItem]:
    """What the switcher offers; the settings have none, because they are about all projects."""
    slug = selected_slug(request)
    names = [("", "All projects"), *visible_projects(user).values_list("slug", "name")]
    return [ProjectItem(name, each, switch_url(request, each), each == slug) for each, name in names]


def settings_items(request: HttpRequest, user: User) -> list[NavItem]:
    """The pages of the settings that this person may open."""
    shown = [page for page in SETTINGS_PAGES if user.is_admin or not page.admins_only]
    urls = [reverse(page.name) for page in shown]
    return [
        NavItem(page.label, url, "", request.path == url or request.path.startswith(f"{url}/"))
        for page, url in zip(shown, urls, strict=True)
    ]


def open_sections() -> list[Section]:
    """The sections with pages that are switched on, in their order."""
    switched = ((INSIGHTS, settings.BLOOP.analytics.enabled), (LLM, settings.BLOOP.llm_tracing.enabled))
    return [section for section, is_on in switched if is_on]


def open_section(request: HttpRequest) -> Section | None:
    """The section with pages that the page is one of."""
    return next((section for section in open_sections() if section.holds(request)), None)


def section_item(request: HttpRequest, section: Section) -> NavItem:
    """The section, with its pages below it when it is open."""
    if not section.holds(request):
        return NavItem(section.label, reverse(section.first), section.icon, active=False)
    shown = section.page_of(request)
    kept = {key: request.GET[key] for key in section.kept if request.GET.get(key)}
    if slug := selected_slug(request):
        kept["project"] = slug
    query = f"?{urlencode(kept)}" if kept else ""
    pages = tuple(NavItem(label, reverse(page) + query, "", page == shown) for label, page in section.pages)
    return NavItem(section.label, reverse(section.first) + query, section.icon, active=True, pages=pages)


def selected_slug(request: HttpRequest) -> str:
    """The project the page is about, from its path or its query."""
    match = request.resolver_match
    return str((match.kwargs.get("project_slug") if match else None) or request.GET.get("project", ""))


def in_releases(request: HttpRequest) -> bool:
    """Whether the page is one of the section Releases."""
    return request.path.startswith("/releases")


def in_alerts(request: HttpRequest) -> bool:
    """Whether the page is one of the section Alerts."""
    return request.path == "/alerts" or request.path.startswith("/alerts/")


def switch_url(request: HttpRequest, slug: str) -> str:
    """The section's list of another project. Filters stay; what is about one page, issue or release goes."""
    query = request.GET.copy()
    section = open_section(request)
    for name in OF_ONE_PAGE - set(section.kept if section else ()):
        query.pop(name, None)
    if slug:
        query["project"] = slug
    return section_url(request) + (f"?{query.urlencode()}" if query else "")


def section_url(request: HttpRequest) -> str:
    """The list that shows another project's things of the same kind."""
    section = open_section(request)
    if section is not None:
        shown = section.page_of(request)
        return reverse(shown if shown in dict(section.pages).values() else section.first)
    if in_alerts(request):
        return reverse("alerts:history" if request.path == reverse("alerts:history") else "alerts:list")
    return reverse("errors:releases" if in_releases(request) else "errors:list")
