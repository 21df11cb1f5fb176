"""What happened to an issue and who did it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.db.models import Case, Min, OuterRef, Q, QuerySet, Subquery, When

from accounts.models import User
from errors.models import Aggregate, Issue, Merge, Note, Release, Transition
from errors.queries.groups import shown_by
from errors.queries.work import notes_of
from errors.statuses import NO_RELEASE

MAX_TIMELINE = 100
PEOPLE = (Transition.Cause.CALL, Transition.Cause.UNDO)
KINDS = {
    Transition.Cause.CALL: "status",
    Transition.Cause.UNDO: "undo",
    Transition.Cause.REGRESSION: "regression",
    Transition.Cause.MUTE_ENDED: "mute_ended",
}


@dataclass(frozen=True)
class TimelineEntry:
    """One line of the timeline; at_ms in epoch milliseconds.

    kind: "first_seen", "release", "status", "undo", "regression", "mute_ended", "note", "merge" or "unmerge".
    id: of the Transition, Note or Merge; of a Transition that can be taken back, `can_undo` holds.
    undone: whether the change, or the merge, was taken back since.
    until_ms, until_count: when a mute ends. release: of a regression, of a first appearance, or the one in which
    something resolved "in the next release" was resolved, once it is there.
    text: of a note, or the fingerprint that was merged.
    """

    kind: str
    at_ms: int
    id: int = 0
    old_status: str = ""
    new_status: str = ""
    actor: str = ""
    release: str = ""
    until_ms: int | None = None
    until_count: int | None = None
    in_next_release: bool = False
    can_undo: bool = False
    undone: bool = False
    text: str = ""
    author: User | None = None
    edited_ms: int | None = None


def transitions_of(issues: Sequence[Issue]) -> QuerySet[Transition]:
    """Every status change of the issues, newest first, the issue and who made it loaded."""
    ids = shown_by([issue.pk for issue in issues])
    return changes_of(list(ids))


def changes_of(issue_ids: Sequence[int]) -> QuerySet[Transition]:
    """Every status change of these issues, newest first."""
    changes = Transition.objects.filter(issue__in=issue_ids).select_related("issue", "changed_by")
    return changes.order_by("-changed_ms", "-id")


def with_next_release(changes: QuerySet[Transition]) -> QuerySet[Transition]:
    """The changes with `next_release`: of those "in the next release" its name, once it is there; else None."""
    later = Release.objects.filter(project=OuterRef("project"), first_seen_ms__gt=OuterRef("changed_ms"))
    first = later.exclude(name=NO_RELEASE).order_by("first_seen_ms", "pk").values("name")[:1]
    return changes.annotate(next_release=Case(When(in_next_release=True, then=Subquery(first))))


def timeline(issue: Issue, issue_ids: Sequence[int]) -> list[TimelineEntry]:
    """The newest 100 of all that happened, newest first, then the first appearance; in four queries.

    issue_ids: the issue's and those of what is merged into it.
    """
    entries = [
        *status_entries(issue, issue_ids),
        *(note_entry(note) for note in notes_of(issue_ids)[:MAX_TIMELINE]),
        *merge_entries(issue_ids),
        *release_entries(issue, issue_ids),
    ]
    newest = sorted(entries, key=lambda entry: (entry.at_ms, entry.kind != "release", entry.id), reverse=True)
    return [*newest[:MAX_TIMELINE], TimelineEntry(kind="first_seen", at_ms=issue.first_seen_ms)]


def status_entries(issue: Issue, issue_ids: Sequence[int]) -> Iterator[TimelineEntry]:
    """Status changes; the shown issue's latest can be taken back."""
    changes = list(with_next_release(changes_of(issue_ids))[:MAX_TIMELINE])
    latest = max((change.pk for change in changes if change.issue_id == issue.pk), default=0)
    for change in changes:
        yield TimelineEntry(
            kind=KINDS[Transition.Cause(change.cause)],
            at_ms=change.changed_ms,
            id=change.pk,
            old_status=change.old_status,
            new_status=change.new_status,
            actor=actor_of(change),
            release=change.release or getattr(change, "next_release", None) or "",
            until_ms=change.muted_until_ms,
            until_count=change.muted_until_count,
            in_next_release=change.in_next_release,
            can_undo=change.pk == latest and change.cause == Transition.Cause.CALL,
            undone=change.undone,
        )


def note_entry(note: Note) -> TimelineEntry:
    """A note as the timeline tells it."""
    return TimelineEntry(
        kind="note",
        at_ms=note.created_ms,
        id=note.pk,
        actor=note.author.username if note.author else "a removed user",
        text=note.text,
        author=note.author,
        edited_ms=note.edited_ms,
    )


def merge_entries(issue_ids: Sequence[int]) -> Iterator[TimelineEntry]:
    """Merges into these issues, and those taken apart again."""
    merges = Merge.objects.filter(Q(issue__in=issue_ids) | Q(merged__in=issue_ids))
    people = merges.select_related("merged", "merged_by", "undone_by").order_by("-pk")[:MAX_TIMELINE]
    for merge in people:
        made = TimelineEntry(
            kind="merge",
            at_ms=merge.merged_ms,
            id=merge.pk,
            actor=name_of(merge.merged_by),
            text=merge.merged.fingerprint,
            undone=merge.undone_ms is not None,
        )
        yield made
        if merge.undone_ms is not None:
            yield replace(made, kind="unmerge", at_ms=merge.undone_ms, actor=name_of(merge.undone_by), undone=False)


def release_entries(issue: Issue, issue_ids: Sequence[int]) -> Iterator[TimelineEntry]:
    """Where the issue first appeared in each release but its first."""
    later = Aggregate.objects.filter(issue__in=issue_ids).exclude(release__in=(NO_RELEASE, issue.first_release))
    firsts = later.values("release").annotate(first=Min("first_seen_ms")).order_by("-first")
    for row in firsts[:MAX_TIMELINE]:
        yield TimelineEntry(kind="release", at_ms=row["first"], release=row["release"])


def actor_of(change: Transition) -> str:
    """Who it was, in words; "" for what nobody did."""
    name = change.changed_by.username if change.changed_by else ""
    if change.token_name:
        return f"{name or 'someone'} with token {change.token_name}"
    return name or ("a removed user" if change.cause in PEOPLE else "")


def name_of(user: User | None) -> str:
    """A person in words."""
    return user.username if user else "a removed user"
