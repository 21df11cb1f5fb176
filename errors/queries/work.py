"""What people did with an issue: its last change, notes, merges, and changes of many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Q, QuerySet

from errors.models import BulkChange, Issue, Merge, Note, Transition
from errors.statuses import Change


def latest_transition_id(issue: Issue) -> int:
    """The id of the shown issue's last change; 0 for none. What a form remembers it has seen."""
    return Transition.objects.filter(issue=issue).order_by("-pk").values_list("pk", flat=True).first() or 0


def notes_of(issue_ids: Sequence[int]) -> QuerySet[Note]:
    """The notes on these issues, the newest first, with their authors."""
    return Note.objects.filter(issue__in=issue_ids).select_related("author").order_by("-pk")


def merges_of(issue: Issue) -> list[Merge]:
    """What is merged into the issue now, also by way of another, the latest first, with the issues and who did it."""
    merges = Merge.objects.filter(merged__merged_into=issue, undone_ms=None).select_related("merged", "merged_by")
    return list(merges.order_by("-pk"))


def has_merge(issue: Issue, merge_id: int) -> bool:
    """Whether this merge is one that the issue shows, also by way of another, or once led straight into it."""
    return Merge.objects.filter(Q(merged__merged_into=issue) | Q(issue=issue), pk=merge_id).exists()


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


def latest_bulk(*, user_id: UUID, since_ms: int) -> BulkProgress | None:
    """The user's change that is running, else the last one, if it was finished since."""
    recent = BulkChange.objects.filter(Q(finished_ms=None) | Q(finished_ms__gte=since_ms), user=user_id)
    latest = recent.order_by(F("finished_ms").desc(nulls_first=True), "-pk").first()
    return None if latest is None else progress_of(latest)


def progress_of(bulk: BulkChange) -> BulkProgress:
    """How far this change is."""
    return BulkProgress(
        id=bulk.pk,
        change=Change.from_json(bulk.change),
        is_undo=bulk.is_undo,
        total=bulk.total,
        looked_at=bulk.looked_at,
        changed=bulk.changed,
        is_finished=bulk.finished_ms is not None,
    )
