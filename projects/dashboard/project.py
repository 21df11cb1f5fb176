"""Settings, one project: its key and how to send with it, its name, grouping and members, its end."""

from collections.abc import Callable
from typing import Any
from unicodedata import normalize
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import actor_of
from accounts.http import PageRequest
from accounts.models import Role, User
from bloop_site.lib.clock import now_ms, to_ms
from bloop_site.lib.once import keep_once, take_once
from projects import queries, tasks
from projects.access import may_manage, project_by_slug
from projects.dashboard import forms
from projects.dashboard.projects import key_name
from projects.dashboard.rows import key_rows
from projects.dashboard.snippets import PLACEHOLDER, snippets
from projects.figures import figures_of
from projects.models import DEFAULT_ID, Project
from projects.refused import refused_of
from projects.services import key_expiry, keys, members, projects, removal
from projects.services.locking import ProjectGone

Act = Callable[..., HttpResponse]


@never_cache
@require_safe
def project_page(request: PageRequest, slug: str) -> HttpResponse:
    """The page of a project; a key just made is shown on it once."""
    project = project_by_slug(request.user, slug)
    fresh_key = take_once(request, name=key_name(project.pk), now_ms=now_ms())
    return render(request, "settings/project.html", page_context(request, project, fresh_key=fresh_key))


def page_context(
    request: PageRequest, project: Project, *, fresh_key: str | None = None, **refused: Any
) -> dict[str, Any]:
    """What the page shows. refused: forms that stand in the place of empty ones, with what was wrong."""
    valid = key_rows(project, now=timezone.now())
    manages = may_manage(request.user, project)
    people = queries.members_of(project)
    return {
        "project": project,
        "created_ms": to_ms(project.created_at),
        "errors_url": f"{reverse('errors:list')}?project={project.slug}",
        "may_manage": manages,
        "is_default": project.pk == DEFAULT_ID,
        "fresh_key": fresh_key,
        "waits": bool(fresh_key) and is_empty(project),
        "refused": refused_of(project.pk, now_ms=now_ms()),
        "key": next((key for key in valid if key.expires_ms is None), None),
        "old_keys": [key for key in valid if key.expires_ms is not None],
        "snippets": snippets(url=f"{settings.BLOOP.auth.rp_origin}/v1/ingest", key=fresh_key),
        "placeholder": PLACEHOLDER,
        "members": [{"id": each.pk, "username": each.username, "is_you": each == request.user} for each in people],
        "people": addable(request.user, people) if manages else [],
        "groupings": forms.GROUPINGS,
        "rotate_form": forms.RotateForm(),
        "name_form": forms.NameForm(initial={"name": project.name}, auto_id="rename_%s"),
        "member_form": forms.MemberForm(auto_id="member_%s"),
        "delete_form": forms.DeleteForm(auto_id="delete_%s"),
        **refused,
    }


def is_empty(project: Project) -> bool:
    """Whether nothing ever came in, as far as anybody counts."""
    known = figures_of([project.pk], now_ms=now_ms()).get(project.pk)
    return known is None or known.last_event_ms is None


def addable(user: User, inside: list[User]) -> list[str]:
    """Names to suggest: to admins only, since the list of people is theirs; admins need no membership."""
    if not user.is_admin:
        return []
    people = User.objects.filter(is_active=True, role=Role.MEMBER).exclude(pk__in=[each.pk for each in inside])
    return list(people.order_by("username").values_list("username", flat=True)[:500])


# --- Acts -------------------------------------------------------------------------------------------------------------


def managed(act: Act) -> Act:
    """An act on a project, for who may manage it: 403 for its other members, 404 for everybody else."""

    @require_POST
    def guarded(request: PageRequest, slug: str, **more: Any) -> HttpResponse:
        project = project_by_slug(request.user, slug)
        if not may_manage(request.user, project):
            raise PermissionDenied
        try:
            return act(request, project, **more)
        except ProjectGone:
            raise Http404 from None

    return guarded


def back_to(project: Project) -> HttpResponse:
    """See the page again."""
    return redirect("settings:project", project.slug)


def refused(request: PageRequest, project: Project, **shown: Any) -> HttpResponse:
    """The page with the form that was not taken."""
    return render(request, "settings/project.html", page_context(request, project, **shown), status=422)


@managed
def rename(request: PageRequest, project: Project) -> HttpResponse:
    """Give the project another name."""
    form = forms.NameForm(request.POST, auto_id="rename_%s")
    if form.is_valid():
        try:
            name = form.cleaned_data["name"]
            projects.rename_project(project=project, name=name, actor=actor_of(request), now=timezone.now())
        except projects.ProjectInvalid as reason:
            form.refuse("name", reason)
        else:
            messages.success(request, "Renamed.")
            return back_to(project)
    return refused(request, project, name_form=form)


@managed
def choose_grouping(request: PageRequest, project: Project) -> HttpResponse:
    """Group events from now on in another way."""
    form = forms.GroupingForm(request.POST)
    if not form.is_valid():
        return refused(request, project)
    grouping = form.cleaned_data["grouping"]
    projects.choose_grouping(project=project, grouping=grouping, actor=actor_of(request), now=timezone.now())
    messages.success(request, f"New events are grouped by {grouping}.")
    return back_to(project)


@managed
def rotate(request: PageRequest, project: Project) -> HttpResponse:
    """Make a new key, to be shown once; the old one ends after the grace chosen."""
    form = forms.RotateForm(request.POST)
    if not form.is_valid():
        return refused(request, project, rotate_form=form)
    key = keys.rotate_key(
        project=project, grace_seconds=form.cleaned_data["grace"], actor=actor_of(request), now=timezone.now()
    )
    keep_once(request, name=key_name(project.pk), value=key, now_ms=now_ms())
    return back_to(project)


@managed
def end_key(request: PageRequest, project: Project, key_id: int) -> HttpResponse:
    """End an old key before its time."""
    if not any(key.pk == key_id for key in queries.keys_of(project, now=timezone.now())):
        messages.error(request, "That key had ended already.")
        return back_to(project)
    try:
        key_expiry.end_key(key_id=key_id, actor=actor_of(request), now=timezone.now())
    except key_expiry.CurrentKey as reason:
        messages.error(request, forms.sentence(reason))
    else:
        messages.success(request, "The old key has ended.")
    return back_to(project)


@managed
def add_member(request: PageRequest, project: Project) -> HttpResponse:
    """Let somebody into the project, by name."""
    form = forms.MemberForm(request.POST, auto_id="member_%s")
    if form.is_valid():
        name = normalize("NFKC", form.cleaned_data["username"])
        person = User.objects.filter(username__iexact=name, is_active=True).first()
        if person is None:
            form.refuse("username", "Nobody has that name; invite them first")
        elif members.add_member(project=project, user=person, actor=actor_of(request), now=timezone.now()):
            messages.success(request, f"{person.username} is in.")
            return back_to(project)
        else:
            form.refuse("username", "They are in already")
    return refused(request, project, member_form=form)


@managed
def remove_member(request: PageRequest, project: Project, user_id: UUID) -> HttpResponse:
    """Take somebody out of the project; who takes themselves out may not see it any more."""
    members.remove_member(project=project, user_id=user_id, actor=actor_of(request), now=timezone.now())
    is_out = user_id == request.user.pk and not request.user.is_admin
    return redirect("settings:projects") if is_out else back_to(project)


@managed
def delete(request: PageRequest, project: Project) -> HttpResponse:
    """Take the project away from everybody and remove what it holds in the background."""
    form = forms.DeleteForm(request.POST, auto_id="delete_%s")
    if form.is_valid() and not is_typed(form.cleaned_data["name"], project.name):
        form.refuse("name", "That is not its name")
    if form.errors:
        return refused(request, project, delete_form=form)
    try:
        removal.request_removal(project=project, actor=actor_of(request), now=timezone.now())
    except removal.DefaultProject:
        messages.error(request, "The default project cannot be deleted.")
        return back_to(project)
    tasks.start_removals()
    return redirect("settings:projects")


def is_typed(typed: str, name: str) -> bool:
    """Whether the name was typed; alike letters may be put together in several ways (Unicode)."""
    return normalize("NFC", typed.strip()) == normalize("NFC", name.strip())
