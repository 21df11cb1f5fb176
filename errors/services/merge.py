"""Merging issues by hand, and taking a merge apart (docs/decisions/0009).

Nothing is moved: a merged issue keeps its rows and its fingerprint, and says by `merged_into` which issue shows them.
That one's counts are the group's, recomputed from the aggregates, which are each issue's own. Merges that hold form a
tree, as people made it; `merged_into` is its root, one level only. So a branch can be taken out whole.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max, Min, Sum

from bloop_site.lib.db import survives_deadlock
from errors.models import Aggregate, Issue, Merge, Status, Transition
from errors.services.standing import (
    REAL,
    Made,
    Standing,
    follow,
    holding_changes,
    plain,
    standing_after,
    standing_of,
    transition,
)
from errors.services.status import Actor, IssueGone, locked_issue
from errors.statuses import Change

MAX_TOGETHER = 100


class MergeImpossible(Exception):
    """These issues cannot be merged, or this merge not be taken apart; the text says why."""


@survives_deadlock
def merge_issues(*, into_id: int, issue_ids: Sequence[int], actor: Actor, now_ms: int) -> list[Merge]:
    """Let one issue show others of its project, which take its status. Returns a Merge for each of them.

    What was merged into one of the others comes along, and goes with it again when it is taken out. Written in one
    transaction. Raises MergeImpossible, IssueGone.
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
        merges = Merge.objects.bulk_create(
            Merge(
                issue=into,
                merged=issues[pk],
                old_status=issues[pk].status,
                merged_ms=now_ms,
                merged_by_id=actor.user_id,
            )
            for pk in sorted(wanted)
        )
        Issue.objects.filter(pk__in=issues).update(merged_into=into)
        for issue in (into, *issues.values()):
            recount(issue)
        follow([into])
    return merges


@survives_deadlock
def undo_merge(*, merge_id: int, actor: Actor, now_ms: int) -> Merge:
    """Take an issue out of the one that shows it, with what it brought along; all have their own counts again.

    It stands as it did before, if since then neither the group's status changed nor an event of it came; else it
    keeps the group's status. Raises MergeImpossible when it was taken out already, IssueGone.
    """
    with transaction.atomic():
        merge = Merge.objects.filter(pk=merge_id).first()
        if merge is None:
            raise IssueGone
        into = locked_issue(merge.merged_id)
        group = locked({into.pk, *Issue.objects.filter(merged_into=into).values_list("pk", flat=True)})
        merge.refresh_from_db()
        if merge.undone_ms is not None:
            msg = "This merge has been taken apart already."
            raise MergeImpossible(msg)
        held = {each.merged_id: each for each in Merge.objects.filter(merged__in=group, undone_ms=None)}
        branch = {pk: issue for pk, issue in group.items() if merge in path(held, pk)}
        taken = branch.pop(merge.merged_id)
        merge.undone_ms, merge.undone_by_id = now_ms, actor.user_id
        merge.save(update_fields=["undone_ms", "undone_by"])
        Issue.objects.filter(pk=taken.pk).update(merged_into=None)
        Issue.objects.filter(pk__in=branch).update(merged_into=taken)
        for issue in (taken, *branch.values(), into):
            recount(issue)
        stand_alone(taken, into, path(held, taken.pk))
        follow([taken])
    return merge


def path(held: dict[int, Merge], issue_id: int) -> list[Merge]:
    """The merges that lead from an issue to the one that shows it, its own first."""
    steps = []
    while issue_id in held:
        steps.append(held[issue_id])
        issue_id = held[issue_id].issue_id
    return steps


def stand_alone(taken: Issue, group: Issue, way: Sequence[Merge]) -> None:
    """Give an issue that is taken out its old standing, or that of its group, which then is in its own history too.

    way: from `path`.
    """
    merge, held = way[0], holding_changes([taken.pk, group.pk])
    old = old_standing(merge, held.get(taken.pk))
    is_untouched = taken.last_seen_ms < merge.merged_ms and not changed_since(way, group)
    if is_untouched or is_same(old, standing_of(group)):
        new = old
    else:
        new = adopted(taken, group, old=old, merge=merge, by=held.get(group.pk))
    for name, value in new._asdict().items():
        setattr(taken, name, value)
    taken.save(update_fields=new._fields)


def is_same(old: Standing, group: Standing) -> bool:
    """Whether the issue's old standing says what its group's does; since when matters for what is resolved only."""
    if old.status != Status.RESOLVED:
        old, group = old._replace(status_changed_ms=None), group._replace(status_changed_ms=None)
    return old._replace(regressed_ms=None) == group._replace(regressed_ms=None)


def old_standing(merge: Merge, held: Transition | None) -> Standing:
    """How the merged issue stood before; its own history has kept what its row has not."""
    standing = standing_after(held) if held else plain(Status.UNRESOLVED, since_ms=None)
    return standing if standing.status == merge.old_status else plain(merge.old_status, since_ms=merge.merged_ms)


def adopted(taken: Issue, group: Issue, *, old: Standing, merge: Merge, by: Transition | None) -> Standing:
    """The group's standing as the issue's own, with the Transition that says so: made by who gave it to the group.

    So an issue's history always leads to how it stands.
    """
    for name, value in old._asdict().items():
        setattr(taken, name, value)
    change = Change(
        group.status,
        muted_until_ms=group.muted_until_ms,
        muted_until_count=group.muted_until_count,
        in_next_release=group.in_next_release,
    )
    actor = Actor(by.changed_by_id, by.token_name) if by else Actor(merge.merged_by_id)
    at_ms = merge.merged_ms if group.status_changed_ms is None else group.status_changed_ms
    made = transition(taken, change, Made(actor, at_ms))
    made.save()
    return standing_after(made)


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


def changed_since(way: Sequence[Merge], group: Issue) -> bool:
    """Whether the status of an issue's group changed since it was merged, by hand, event or another merge.

    What was taken back again does not count.
    """
    for merge in way:
        later = Transition.objects.filter(issue=merge.issue_id, changed_ms__gte=merge.merged_ms)
        first = later.order_by("pk").values_list("old_status", flat=True).first()
        if first not in (None, group.status) or later.filter(REAL, undone=False).exists():
            return True
    return any(merge.old_status != group.status for merge in way[1:])


def recount(issue: Issue) -> None:
    """Set an issue's counts, and its first release, from the aggregates of all it shows. The rows must be locked."""
    ids = [issue.pk, *Issue.objects.filter(merged_into=issue).values_list("pk", flat=True)]
    shown = Aggregate.objects.filter(issue__in=ids)
    sums = shown.aggregate(total=Sum("total_count"), first=Min("first_seen_ms"), last=Max("last_seen_ms"))
    issue.total_count, issue.first_seen_ms, issue.last_seen_ms = sums["total"], sums["first"], sums["last"]
    issue.first_release = shown.order_by("first_seen_ms", "pk").values_list("release", flat=True)[0]
    issue.save(update_fields=["total_count", "first_seen_ms", "last_seen_ms", "first_release"])
