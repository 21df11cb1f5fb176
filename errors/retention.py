"""Removes old events and counts (`projects.retention.Purger`). The newest few events of each issue stay: its samples.

Aggregates, issues, releases, history, notes and source maps are kept (contract 3.4).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from django.conf import settings
from django.db.models import Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Least

from bloop_site.lib.clock import DAY_MS
from errors.models import (
    BulkChange,
    Event,
    HourlyCount,
    Issue,
    Occasion,
    ProjectHourlyCount,
    ProjectMinute,
    ReleaseHourlyCount,
    Transition,
)
from projects import retention
from projects.models import Project
from projects.retention import Batch, Cutoffs, Holdings

MIN_READ = 200  # events read at a time at least, for many of them may stay
PROJECTS_READ = 500  # looked at in one go; more than one, for the last is where the next begins
BIGGEST = 2**63 - 1
Hours: TypeAlias = type[HourlyCount] | type[ProjectHourlyCount] | type[ReleaseHourlyCount]


class Place(NamedTuple):
    """An event in the order in which they are read: by project, then by age."""

    project_id: str = ""
    received_ms: int = -BIGGEST
    id: int = 0


class OldEvents:
    """Raw events received before their project's cutoff, but for samples (docs/decisions/0002)."""

    tables: Sequence[str] = ("errors.Event",)
    words = "raw events"

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the index by age; without the samples of issues that were not seen since."""
        return sum(self.count_in(project_id, cutoffs.raw_of(project_id)) for project_id in project_ids())

    def count_in(self, project_id: str, before_ms: int) -> int:
        old = Event.objects.filter(project_id=project_id, received_ms__lt=before_ms).count()
        if not old:
            return 0
        quiet = Issue.objects.filter(project_id=project_id, last_seen_ms__lt=before_ms).order_by()
        samples = quiet.aggregate(number=Sum(Least("total_count", Value(samples_kept()))))["number"] or 0
        return max(0, old - samples)

    def find(self, cutoffs: Cutoffs, *, place: Place | None, limit: int) -> Batch | None:
        """The oldest events of the first project that has some to look at."""
        begin = place or Place()
        ids = project_ids(begin.project_id)[:PROJECTS_READ]
        for project_id in ids:
            after = begin if project_id == begin.project_id else Place(project_id)
            read = read_events(after, before_ms=cutoffs.raw_of(project_id), limit=max(limit, MIN_READ))
            if read:
                return self.batch(read, limit=limit)
        return Batch((), Place(ids[-1], BIGGEST, BIGGEST)) if len(ids) == PROJECTS_READ else None

    def batch(self, read: Sequence[tuple[Place, int]], *, limit: int) -> Batch:
        """Up to `limit` of what was read that no issue needs, and how far that is."""
        floors = oldest_samples({issue_id for _, issue_id in read})
        rows: list[int] = []
        place = read[0][0]
        for place, issue_id in read:
            if place.id < floors.get(issue_id, 0):
                rows.append(place.id)
            if len(rows) == limit:
                break
        return Batch(rows, place)

    def remove(self, rows: Sequence[int]) -> int:
        """Nothing points to an event, so this is one statement."""
        return Event.objects.filter(pk__in=rows).delete()[0]


def project_ids(start: str = "") -> list[str]:
    """Projects in order of their id, from `start` on; those being removed are removed with all they hold."""
    projects = Project.objects.filter(pk__gte=start, removing_at=None).order_by("pk")
    return list(projects.values_list("pk", flat=True))


def samples_kept() -> int:
    """How many of the newest events of each issue stay."""
    return int(settings.BLOOP.pipeline.sample_reservoir_size)


def read_events(after: Place, *, before_ms: int, limit: int) -> list[tuple[Place, int]]:
    """The next events of a project by age, each with its issue's id."""
    old = Event.objects.filter(
        project_id=after.project_id, received_ms__gte=after.received_ms, received_ms__lt=before_ms
    )
    next_ones = old.filter(Q(received_ms__gt=after.received_ms) | Q(pk__gt=after.id)).order_by("received_ms", "pk")
    rows = next_ones.values_list("pk", "issue_id", "received_ms")[:limit]
    return [(Place(after.project_id, received_ms, pk), issue_id) for pk, issue_id, received_ms in rows]


def oldest_samples(issue_ids: Iterable[int]) -> dict[int, int]:
    """The id of each issue's oldest sample: what is below it may go. Issues that have no more than samples are absent.

    More events only raise it, so what was found stays right however long its removal takes.
    """
    size = samples_kept()
    newest = Event.objects.filter(issue=OuterRef("pk")).order_by("-pk").values("pk")[size - 1 : size]
    issues = Issue.objects.filter(pk__in=issue_ids).annotate(floor=Subquery(newest)).values_list("pk", "floor")
    return {pk: floor for pk, floor in issues if floor is not None}


class OldHours:
    """Hourly counts of hours before the cutoff, in one table or several."""

    def __init__(self, words: str, *models: Hours) -> None:
        self.words = words
        self.models = models
        self.tables: Sequence[str] = tuple(model._meta.label for model in models)  # noqa: SLF001  Django's public name

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the indexes by age."""
        return sum(model.objects.filter(hour_ms__lt=cutoffs.hourly_ms).count() for model in self.models)

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The oldest of the first table that has some."""
        for model in self.models:
            old = model.objects.filter(hour_ms__lt=cutoffs.hourly_ms).order_by("hour_ms")
            ids = list(old.values_list("pk", flat=True)[:limit])
            if ids:
                return Batch((model, ids))
        return None

    def remove(self, rows: tuple[Hours, list[int]]) -> int:
        """Nothing points to a count, so this is one statement."""
        model, ids = rows
        return model.objects.filter(pk__in=ids).delete()[0]


class OldRows:
    """Rows of one table whose moment lies longer back than `age_ms`, whatever the policies say.

    moment: the column that says when, in epoch milliseconds; it has an index.
    """

    def __init__(self, words: str, model: type[Occasion] | type[ProjectMinute], *, moment: str, age_ms: int) -> None:
        self.words = words
        self.model = model
        self.moment = moment
        self.age_ms = age_ms
        self.tables: Sequence[str] = (model._meta.label,)  # noqa: SLF001  Django's public name

    def old(self, cutoffs: Cutoffs) -> QuerySet[Any]:
        return self.model._default_manager.filter(**{f"{self.moment}__lt": cutoffs.at_ms - self.age_ms})  # noqa: SLF001

    def count(self, cutoffs: Cutoffs) -> int:
        """Counted in the index by age."""
        return self.old(cutoffs).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The oldest."""
        ids = list(self.old(cutoffs).order_by(self.moment).values_list("pk", flat=True)[:limit])
        return Batch(ids) if ids else None

    def remove(self, rows: Sequence[int]) -> int:
        """Nothing points to them."""
        return self.model._default_manager.filter(pk__in=rows).delete()[0]  # noqa: SLF001


class OldBulkChanges:
    """Finished changes of many issues, made before the hourly cutoff; each issue's history keeps what they did."""

    tables: Sequence[str] = ("errors.BulkChange",)
    words = "records of bulk changes"

    def old(self, cutoffs: Cutoffs) -> list[int]:
        done = BulkChange.objects.filter(created_ms__lt=cutoffs.hourly_ms, finished_ms__isnull=False)
        return list(done.order_by("created_ms", "pk").values_list("pk", flat=True)[:1])

    def count(self, cutoffs: Cutoffs) -> int:
        """Few, told by the index by age."""
        return BulkChange.objects.filter(created_ms__lt=cutoffs.hourly_ms, finished_ms__isnull=False).count()

    def find(self, cutoffs: Cutoffs, *, place: None, limit: int) -> Batch | None:
        """The history that names the oldest change, bit by bit; then the change itself."""
        ids = self.old(cutoffs)
        if not ids:
            return None
        named = list(Transition.objects.filter(bulk_id=ids[0]).values_list("pk", flat=True)[:limit])
        return Batch((Transition, named) if named else (BulkChange, ids))

    def remove(self, rows: tuple[type[Transition] | type[BulkChange], list[int]]) -> int:
        """A change may have touched 100,000 issues: the database would clear all their history in one go."""
        model, ids = rows
        if model is Transition:
            Transition.objects.filter(pk__in=ids).update(bulk=None)
            return 0
        return BulkChange.objects.filter(pk__in=ids).delete()[0]


def holdings() -> Holdings:
    """Counted in indexes; the oldest event is the first of some project's."""
    first = Event.objects.filter(project=OuterRef("pk")).order_by("received_ms").values("received_ms")[:1]
    return Holdings(
        raw_events=Event.objects.count(),
        hourly_counts=HourlyCount.objects.count(),
        oldest_ms=Project.objects.annotate(first=Subquery(first)).aggregate(oldest=Min("first"))["oldest"],
    )


def register() -> None:
    """Take part in every pass; called once, in AppConfig.ready."""
    retention.register("raw_events", OldEvents())
    retention.register("hourly_counts", OldHours("hourly counts", HourlyCount))
    retention.register(
        "rollups", OldHours("hourly counts of projects and releases", ProjectHourlyCount, ReleaseHourlyCount)
    )
    retention.register("bulk_changes", OldBulkChanges())
    # Nobody wants to hear of a new issue a day late; rules look back a week (alerts.configs).
    retention.register("occasions", OldRows("untold occasions", Occasion, moment="happened_ms", age_ms=DAY_MS))
    retention.register(
        "project_minutes", OldRows("minutes of rules", ProjectMinute, moment="minute_ms", age_ms=8 * DAY_MS)
    )
    retention.register_holdings(holdings)
