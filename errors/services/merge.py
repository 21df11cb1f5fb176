"""Merging issues by hand, and taking a merge apart (docs/decisions/0009).

Nothing is moved: a merged issue keeps its rows and its fingerprint, and says by `merged_into` which issue shows them.
That one's counts are the group's, recomputed from the aggregates, which are each issue's own.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max, Min, QuerySet, Sum

from errors.models import Aggregate, Issue, Merge, Status, Transition
from errors.services.status import Actor, IssueGone, follow

MAX_TOGETHER = 100


class MergeImpossible(Exception):
    """These issues cannot be merged, or this merge not be taken apart; the text says why."""


def merge_issues(*, into_id: int, issue_ids: Sequence[int], actor: Actor, now_ms: int) -> list[Merge]:
    """Let one issue show others of its project, which take its status. Returns a Merge for each of them.

    What was merged into one of the others comes along, with a Merge of its own. Written in one transaction, the rows
    locked in the order of their ids. Raises MergeImpossible, IssueGone.
    """
    wanted = set(issue_ids) - {into_id}
    if not wanted:
        msg = "An issue cannot be merged into itself."
        raise MergeImpossible(msg)
    if len(wanted) > MAX_TOGETHER:
        msg = f"At most {MAX_TOGETHER} issues can be merged at once."
        raise MergeImpossible(msg)
    with transaction.atomic():
        brought = Issue.objects.filter(merged_into__in=wanted).values_list("pk", flat=True)
        issues = locked({into_id, *wanted, *brought})
        into = issues.pop(into_id, None)
        if into is None or not wanted <= issues.keys():
            raise IssueGone
        if Issue.objects.filter(merged_into__in=wanted).exclude(pk__in=issues).exists():
            msg = "One of these issues was changed just now. Try again."
            raise MergeImpossible(msg)
        refuse_impossible(into, [issues[pk] for pk in sorted(wanted)])
        for issue in issues.values():
            open_merges(issue).update(undone_ms=now_ms, undone_by=actor.user_id)
        merges = Merge.objects.bulk_create(
            Merge(
                issue=into,
                merged=issue,
                old_status=status_to_restore(issue),
                merged_ms=now_ms,
                merged_by_id=actor.user_id,
            )
            for issue in issues.values()
        )
        Issue.objects.filter(pk__in=issues).update(merged_into=into)
        for issue in (into, *issues.values()):
            recount(issue)
        follow(into)
    return merges


def undo_merge(*, merge_id: int, actor: Actor, now_ms: int) -> Merge:
    """Take an issue out of the one that shows it; both have their own counts again.

    It gets its old status back when since then neither the group's status changed nor an event of it came; else it
    keeps the group's. Raises MergeImpossible when it was taken out already, IssueGone.
    """
    with transaction.atomic():
        merge = Merge.objects.filter(pk=merge_id).first()
        if merge is None:
            raise IssueGone
        issues = locked({merge.issue_id, merge.merged_id})
        merge.refresh_from_db()
        if merge.undone_ms is not None or issues[merge.merged_id].merged_into_id != merge.issue_id:
            msg = "This merge has been taken apart already."
            raise MergeImpossible(msg)
        merge.undone_ms, merge.undone_by_id = now_ms, actor.user_id
        merge.save(update_fields=["undone_ms", "undone_by"])
        into, taken = issues[merge.issue_id], issues[merge.merged_id]
        taken.merged_into = None
        if taken.last_seen_ms <= merge.merged_ms and not changed_since(into, merge.merged_ms):
            taken.status = merge.old_status
        taken.save(update_fields=["merged_into", "status"])
        recount(taken)
        recount(into)
    return merge


def locked(ids: set[int]) -> dict[int, Issue]:
    """These issues by id, locked in the order of their ids, as whoever locks several does."""
    rows = Issue.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return {issue.pk: issue for issue in rows}


def refuse_impossible(into: Issue, others: Sequence[Issue]) -> None:
    """Raise MergeImpossible for issues of another project, and for those that another issue shows."""
    if into.merged_into_id is not None or any(issue.merged_into_id not in (None, into.pk) for issue in others):
        msg = "One of these issues is merged into another already."
        raise MergeImpossible(msg)
    if any(issue.merged_into_id == into.pk for issue in others):
        msg = "This issue is merged into that one already."
        raise MergeImpossible(msg)
    if any(issue.project_id != into.project_id for issue in others):
        msg = "Issues of different projects cannot be merged."
        raise MergeImpossible(msg)


def open_merges(issue: Issue) -> QuerySet[Merge]:
    """The merge that holds of this issue, if one does."""
    return Merge.objects.filter(merged=issue, undone_ms=None)


def status_to_restore(issue: Issue) -> str:
    """The status an issue gets back; for a mute with an end, which is not kept, unresolved: else it would never end."""
    has_end = issue.muted_until_ms is not None or issue.muted_until_count is not None
    return Status.UNRESOLVED if has_end else issue.status


def changed_since(issue: Issue, at_ms: int) -> bool:
    """Whether the issue's status changed after a moment."""
    return Transition.objects.filter(issue=issue, changed_ms__gt=at_ms).exists()


def recount(issue: Issue) -> None:
    """Set an issue's counts from the aggregates of all it shows. The rows must be locked."""
    ids = [issue.pk, *Issue.objects.filter(merged_into=issue).values_list("pk", flat=True)]
    sums = Aggregate.objects.filter(issue__in=ids).aggregate(
        total=Sum("total_count"), first=Min("first_seen_ms"), last=Max("last_seen_ms")
    )
    issue.total_count, issue.first_seen_ms, issue.last_seen_ms = sums["total"], sums["first"], sums["last"]
    issue.save(update_fields=["total_count", "first_seen_ms", "last_seen_ms"])
