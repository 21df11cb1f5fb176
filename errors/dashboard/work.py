"""What people do on an issue's page besides changing its status: notes, merging and taking out."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.http import PageRequest
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import number_in
from errors.dashboard.finding import issue_or_404
from errors.dashboard.issue import done, merged_meanwhile, refused
from errors.dashboard.issue_forms import NoteForm
from errors.models import Issue, Note
from errors.queries import groups, work
from errors.queries.candidates import candidates
from errors.services.merge import MergeImpossible, merge_issues, undo_merge
from errors.services.notes import NoteGone, NoteInvalid, NotYours, add_note, delete_note, edit_note
from errors.services.status import Actor, IssueGone

MAX_SEARCH = 2_000


@require_POST
def issue_notes(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Add a note; 422 with what was written when it cannot be taken."""
    issue = issue_or_404(request, project_slug, fingerprint)
    form = NoteForm(request.POST)
    try:
        add_note(issue_id=issue.pk, text=form.data.get("note", ""), author=request.user, now_ms=now_ms())
    except NoteInvalid as error:
        form.add_error("note", str(error))
        return refused(request, issue, status=422, note_form=form)
    except IssueGone:
        raise Http404 from None
    return done(request, issue, "Note added", note_form=NoteForm())


@require_POST
def issue_note(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Change or delete a note: `note_id`, and `text` or `delete`. One's own; an admin may delete any."""
    issue = issue_or_404(request, project_slug, fingerprint)
    note = note_or_404(request, issue)
    try:
        if "delete" in request.POST:
            delete_note(note_id=note.pk, editor=request.user)
            return done(request, issue, "Note deleted")
        if note.author_id != request.user.pk:
            raise PermissionDenied
        edit_note(note_id=note.pk, text=request.POST.get("text", ""), editor=request.user, now_ms=now_ms())
    except NoteInvalid as error:
        return refused(request, issue, status=422, edited_id=note.pk, edit_error=str(error))
    except NotYours:
        raise PermissionDenied from None
    except NoteGone:
        raise Http404 from None
    return done(request, issue, "Note changed")


def note_or_404(request: PageRequest, issue: Issue) -> Note:
    """The note meant, on the issue or on what is merged into it. Raises Http404."""
    note_id = number_in(request.POST.get("note_id"))
    notes = work.notes_of(groups.group_ids(issue))
    note = notes.filter(pk=note_id).first() if note_id is not None else None
    if note is None:
        raise Http404
    return note


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def issue_merge(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Choose an issue to merge this one into, and do it."""
    issue = issue_or_404(request, project_slug, fingerprint)
    if request.method != "POST":
        return choose(request, issue)
    return merged(request, issue) if issue.fingerprint == fingerprint else merged_meanwhile(request, issue)


def choose(request: PageRequest, issue: Issue, *, problem: str = "", status: int = 200) -> HttpResponse:
    """The issues it could be merged into; htmx gets them alone."""
    q = request.GET.get("q", "")[:MAX_SEARCH].strip()
    context: dict[str, Any] = {
        "issue": issue,
        "issue_url": reverse("errors:detail", args=[issue.project.slug, issue.fingerprint]),
        "merge_url": reverse("errors:merge", args=[issue.project.slug, issue.fingerprint]),
        "rows": candidates(issue, q),
        "q": q,
        "problem": problem,
    }
    is_part = request.htmx and not request.htmx.history_restore_request
    return render(request, "errors/merge.html#candidates" if is_part else "errors/merge.html", context, status=status)


def merged(request: PageRequest, issue: Issue) -> HttpResponse:
    """Merge into the chosen issue of the same project, and lead to it."""
    into_id = number_in(request.POST.get("into"))
    into = Issue.objects.filter(pk=into_id, project=issue.project_id).first() if into_id is not None else None
    if into is None:
        return choose(request, issue, problem="Choose an issue first.", status=422)
    try:
        merge_issues(into_id=into.pk, issue_ids=[issue.pk], actor=Actor(request.user.pk), now_ms=now_ms())
    except IssueGone:
        return choose(request, issue, problem="One of the issues is gone.", status=422)
    except MergeImpossible as error:
        return choose(request, issue, problem=str(error), status=422)
    messages.success(request, "Merged. This issue shows both now; Summary lists what is merged, to be taken out again.")
    return redirect("errors:detail", project_slug=issue.project.slug, fingerprint=into.fingerprint)


@require_POST
def issue_unmerge(request: PageRequest, project_slug: str, fingerprint: str) -> HttpResponse:
    """Take a merged issue out again, and lead to it."""
    issue = issue_or_404(request, project_slug, fingerprint)
    merge_id = number_in(request.POST.get("merge"))
    if merge_id is None or not work.has_merge(issue, merge_id):
        raise Http404
    try:
        taken_out = undo_merge(merge_id=merge_id, actor=Actor(request.user.pk), now_ms=now_ms()).merged
    except IssueGone:
        raise Http404 from None
    except MergeImpossible as error:
        messages.error(request, str(error))
        return redirect("errors:detail", project_slug=project_slug, fingerprint=issue.fingerprint)
    messages.success(request, "Taken out. Both issues have their own counts and pages again.")
    return redirect("errors:detail", project_slug=project_slug, fingerprint=taken_out.fingerprint)
