"""What people did with an issue: its last change, notes, merges, and changes of many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from errors.models import BulkChange, Issue, Merge, Note, Release, Transition
from errors.statuses import NO_RELEASE, Change


def latest_transition_id(issue: Issue) -> int:
    """The id of the shown issue's last change; 0 for none. What a form remembers it has seen."""
    return Transition.objects.filter(issue=issue).order_by("-pk").values_list("pk", flat=True).first() or 0


def notes_of(issue_ids: Sequence[int]) -> QuerySet[Note]:
    """The notes on these issues, the newest first, with their authors."""
    return Note.objects.filter(issue__in=issue_ids).select_related("author").order_by("-pk")


def merges_of(issue: Issue) -> list[Merge]:
    """What is merged into the issue now, the latest first, with the merged issues and who did it."""
    merges = Merge.objects.filter(issue=issue, undone_ms=None).select_related("merged", "merged_by")
    return list(merges.order_by("-pk"))


def releases_after(project_id: str, moments: Sequence[int]) -> dict[int, str]:
    """For each moment (epoch ms) the first release of the project that appeared later; without those that have none."""
    if not moments:
        return {}
    later = Release.objects.filter(project_id=project_id, first_seen_ms__gt=min(moments)).exclude(name=NO_RELEASE)
    releases = list(later.order_by("first_seen_ms", "pk").values_list("first_seen_ms", "name"))
    found = {}
    for moment in moments:
        name = next((name for first_ms, name in releases if first_ms > moment), None)
        if name is not None:
            found[moment] = name
    return found


@dataclass(frozen=True)
class BulkProgress:
    """How far a change of many issues is."""

    id: int
    change: Change
    is_undo: bool
    total: int
    looked_at: int
    changed: int
    is_finished: bool

    @property
    def percent(self) -> int:
        """0 to 100; 100 is only said of what is done."""
        if self.is_finished:
            return 100
        return min(99, self.looked_at * 100 // self.total) if self.total else 0


def bulk_progress(*, bulk_id: int, user_id: UUID) -> BulkProgress | None:
    """The user's change; None when it is another's, or gone."""
    bulk = BulkChange.objects.filter(pk=bulk_id, user=user_id).first()
    return None if bulk is None else progress_of(bulk)


def running_bulks(user_id: UUID) -> list[BulkProgress]:
    """The user's changes that are not finished, the newest first."""
    return [progress_of(bulk) for bulk in BulkChange.objects.filter(user=user_id, finished_ms=None).order_by("-pk")]


def progress_of(bulk: BulkChange) -> BulkProgress:
    return BulkProgress(
        id=bulk.pk,
        change=Change.from_json(bulk.change),
        is_undo=bulk.is_undo,
        total=bulk.total,
        looked_at=bulk.looked_at,
        changed=bulk.changed,
        is_finished=bulk.finished_ms is not None,
    )
