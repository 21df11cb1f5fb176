"""Occurrences and samples of issues."""

from collections.abc import Sequence
from itertools import islice

from django.conf import settings
from django.db.models import QuerySet

from errors.models import Event, Issue
from errors.queries.issues import issues_in
from projects.access import Reach


def samples_of(issue: Issue) -> list[Event]:
    """The newest few occurrences, newest first (docs/decisions/0002); as many as `pipeline.sample_reservoir_size`."""
    newest = Event.objects.filter(issue=issue).select_related("issue").order_by("-id")
    return list(newest[: settings.BLOOP.pipeline.sample_reservoir_size])


def samples_of_all(issues: Sequence[Issue], *, limit: int = 10) -> list[Event]:
    """The newest samples over several issues, newest first."""
    found = [event for issue in islice(issues, limit) for event in samples_of(issue)]
    return sorted(found, key=lambda event: (event.received_ms, event.pk), reverse=True)[:limit]


def occurrences(reach: Reach, fingerprint: str) -> QuerySet[Event]:
    """Raw events of a fingerprint by client time, newest first (contract 4.4)."""
    ids = list(issues_in(reach).filter(fingerprint=fingerprint).values_list("pk", flat=True))
    return Event.objects.filter(issue_id__in=ids).select_related("issue").order_by("-timestamp_ms", "-id")
