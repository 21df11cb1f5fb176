"""Occurrences and samples of issues, as the API lists them."""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import QuerySet

from errors.models import Event, Issue
from errors.queries.groups import shown_by
from errors.queries.issues import issues_with
from projects.access import Reach


def newest_of(issue_ids: Sequence[int], *, limit: int) -> list[Event]:
    """The newest `limit` occurrences of each issue: each from its end of an index, however many there are."""
    found: list[Event] = []
    for issue_id in issue_ids:
        found += Event.objects.filter(issue=issue_id).select_related("issue").order_by("-id")[:limit]
    return found


def samples_of_all(issues: Sequence[Issue], *, limit: int = 10) -> list[Event]:
    """The newest samples over several issues, newest first (docs/decisions/0002)."""
    ids = shown_by([issue.pk for issue in issues[:limit]])
    found = newest_of(list(ids), limit=settings.BLOOP.pipeline.sample_reservoir_size)
    return sorted(found, key=lambda event: (event.received_ms, event.pk), reverse=True)[:limit]


def occurrences(reach: Reach, fingerprint: str) -> QuerySet[Event]:
    """Raw events of a fingerprint by client time, newest first (contract 4.4)."""
    ids = shown_by([issue.pk for issue in issues_with(reach, fingerprint)])
    return Event.objects.filter(issue_id__in=ids).select_related("issue").order_by("-timestamp_ms", "-id")
