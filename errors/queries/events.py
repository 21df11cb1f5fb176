"""Occurrences and samples of issues, as the API lists them."""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import QuerySet

from errors.models import Event, Issue
from errors.queries.groups import shown_by
from errors.queries.issues import issues_with
from errors.queries.occurrences import newest_ids_of_each
from projects.access import Reach


def samples_of_all(issues: Sequence[Issue], *, limit: int = 10) -> list[Event]:
    """The newest samples over several issues, newest first (docs/decisions/0002)."""
    ids = shown_by([issue.pk for issue in issues[:limit]])
    newest = newest_ids_of_each(list(ids), limit=settings.BLOOP.pipeline.sample_reservoir_size)
    found = Event.objects.filter(pk__in=newest).select_related("issue")
    return list(found.order_by("-received_ms", "-pk")[:limit])


def occurrences(reach: Reach, fingerprint: str) -> QuerySet[Event]:
    """Raw events of a fingerprint by client time, newest first (contract 4.4)."""
    ids = shown_by([issue.pk for issue in issues_with(reach, fingerprint)])
    return Event.objects.filter(issue_id__in=ids).select_related("issue").order_by("-timestamp_ms", "-id")
