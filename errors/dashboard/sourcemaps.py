"""Settings, source maps of a project: upload, list by release, delete; and the hint beside a stack that has none."""

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.access import actor_of
from accounts.http import PageRequest
from bloop_site.lib.api import ApiError
from bloop_site.lib.clock import to_ms
from bloop_site.lib.links import page_links
from bloop_site.lib.pagination import page_of
from bloop_site.lib.parsers import MAX_PAGE_UPLOAD
from errors.queries import sourcemaps
from errors.queries.sourcemaps import MapFile
from errors.services.sourcemaps import (
    MAX_RELEASE,
    SourceMapGone,
    delete_release_maps,
    delete_source_map,
    store_source_map,
)
from errors.sourcemap import SourceMapInvalid
from errors.uploads import InMemory, SentFile
from ingest.body import refuse_long
from projects.access import may_manage, project_by_slug
from projects.dashboard.forms import RefusableForm
from projects.dashboard.project import managed
from projects.models import Project
from projects.services.locking import ProjectGone

PAGE_SIZE = 20
FILES_SHOWN = 100
SUGGESTED = 50
PAGE = "errors/source_maps.html"


class UploadForm(RefusableForm):
    release = forms.CharField(
        max_length=MAX_RELEASE,
        label="Release",
        help_text="Exactly as your events say it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "list": "releases"}),
        error_messages={"required": "Say which release they are of."},
    )


@dataclass(frozen=True)
class Outcome:
    """What became of a file. reason: why it was refused, empty if it was not."""

    filename: str
    reason: str = ""


@dataclass(frozen=True)
class ReleaseRow:
    """A release that has maps. near: how events spell what is probably meant, when none says it like this."""

    name: str
    count: int
    size_bytes: int
    last_ms: int
    files: list[MapFile]
    near: list[str]
    is_seen: bool


# --- The page ---------------------------------------------------------------------------------------------------------


@csrf_exempt  # the form's token is looked for after its size is known: `upload` asks for it
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def source_maps(request: PageRequest, slug: str) -> HttpResponse:
    """The maps of a project by release; POST keeps those of a form, for who manages the project."""
    project = project_by_slug(request.user, slug)
    if request.method != "POST":
        template = f"{PAGE}#maps" if request.htmx and not request.htmx.history_restore_request else PAGE
        return render(request, template, page_context(request, project))
    if not may_manage(request.user, project):
        raise PermissionDenied
    try:
        refuse_long(request, limit=MAX_PAGE_UPLOAD)
    except ApiError as reason:
        too_large = f"together they are larger than {MAX_PAGE_UPLOAD // 1024 // 1024} MiB; send fewer, or gzip them"
        told = [Outcome("All files", too_large if reason.status_code == 413 else reason.reason)]
        return render(request, PAGE, page_context(request, project, outcomes=told), status=reason.status_code)
    request.upload_handlers = [InMemory(request)]
    return upload(request, project)


@csrf_protect
def upload(request: PageRequest, project: Project) -> HttpResponse:
    """Keep each file by itself and say what became of it; a script that sends one at a time gets just that."""
    form = UploadForm(request.POST)
    files = cast("list[SentFile]", request.FILES.getlist("file"))
    if form.is_valid() and not files:
        form.refuse(None, "Choose at least one file.")
    if form.errors:
        return render(request, PAGE, page_context(request, project, form=form), status=422)
    release = form.cleaned_data["release"]
    outcomes = [stored(request, project, release, file) for file in files]
    if request.htmx:
        return render(request, f"{PAGE}#outcomes", {"outcomes": outcomes})
    outcomes.sort(key=lambda each: not each.reason)  # what was refused first
    if any(each.reason for each in outcomes):
        shown = page_context(request, project, form=form, outcomes=outcomes)
        return render(request, PAGE, shown, status=422)
    count = len(outcomes)
    messages.success(request, f"{count:,} source map{'' if count == 1 else 's'} kept for {release}.")
    return redirect("errors:source-maps", project.slug)


def stored(request: PageRequest, project: Project, release: str, file: SentFile) -> Outcome:
    """Keep one file. Raises Http404 when the project goes meanwhile."""
    try:
        kept = store_source_map(
            project=project,
            release=release,
            filename=file.sent_name,
            content=file.read(),
            actor=actor_of(request),
            now=timezone.now(),
        )
    except SourceMapInvalid as reason:
        return Outcome(file.sent_name, str(reason))
    except ProjectGone:
        raise Http404 from None
    return Outcome(kept.filename)


def page_context(request: PageRequest, project: Project, **shown: Any) -> dict[str, Any]:
    """What the page shows. shown: a form that was refused, outcomes of an upload."""
    grouped = sourcemaps.releases_of(project.pk)
    page = page_of(wanted=request.GET.get("page"), size=PAGE_SIZE, total=grouped.count())
    return {
        "project": project,
        "may_manage": may_manage(request.user, project),
        "form": UploadForm(),
        "suggested": sourcemaps.event_releases(project.pk, limit=SUGGESTED),
        "releases": release_rows(project, list(grouped[page.offset : page.offset + page.size])),
        "page": page_links(request.GET, page),
        "url": reverse("errors:source-maps", args=[project.slug]),
        "api_url": f"{settings.BLOOP.auth.rp_origin}{reverse('api-source-maps', args=[project.slug])}",
        **shown,
    }


def release_rows(project: Project, grouped: list[dict[str, Any]]) -> list[ReleaseRow]:
    """The releases of a page with their files, and whether events name them so."""
    names = [each["release"] for each in grouped]
    files = sourcemaps.files_of(project.pk, names, limit=FILES_SHOWN)
    spellings = sourcemaps.event_spellings(project.pk, names)
    return [
        ReleaseRow(
            name=each["release"],
            count=each["files"],
            size_bytes=each["bytes"],
            last_ms=to_ms(each["last_at"]),
            files=files[each["release"]],
            near=spellings[each["release"]].near,
            is_seen=spellings[each["release"]].is_seen,
        )
        for each in grouped
    ]


# --- Acts -------------------------------------------------------------------------------------------------------------


@managed
def delete_one(request: PageRequest, project: Project, map_id: int) -> HttpResponse:
    """Delete a map."""
    try:
        delete_source_map(project=project, map_id=map_id, actor=actor_of(request), now=timezone.now())
    except SourceMapGone:
        messages.error(request, "That source map was deleted already.")
    else:
        messages.success(request, "Deleted.")
    return redirect("errors:source-maps", project.slug)


@managed
def delete_release(request: PageRequest, project: Project) -> HttpResponse:
    """Delete all maps of a release."""
    release = request.POST.get("release", "")
    count = delete_release_maps(project=project, release=release, actor=actor_of(request), now=timezone.now())
    if count:
        messages.success(request, f"{count:,} source map{'' if count == 1 else 's'} deleted.")
    else:
        messages.error(request, "There was none of that release any more.")
    return redirect("errors:source-maps", project.slug)


# --- Beside a stack ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MapHint:
    """Why a JavaScript stack is shown as it came. near: releases with maps that are probably meant.

    has_maps: there are maps of exactly this release, and none fits a line of the stack.
    """

    release: str
    near: list[str]
    has_maps: bool
    url: str


def map_hint(project: Project, *, release: str, stack: str | None, is_mapped: bool) -> MapHint | None:
    """What to say beside a stack; None when it is mapped, or is no stack of a script in a browser or a bundle."""
    if is_mapped or not any(each.is_script for each in sourcemaps.positions_in(stack or "").values()):
        return None
    has_maps = sourcemaps.has_maps(project.pk, release)
    near = [] if has_maps else sourcemaps.near_misses(project.pk, release)
    shown = "" if release == "unknown" else release
    return MapHint(shown, near, has_maps, reverse("errors:source-maps", args=[project.slug]))
