"""Removes the errors of a deleted project, issue by issue: most tables are only found by their issue."""

from collections.abc import Sequence
from typing import TypeAlias

from errors.models import (
    Aggregate,
    Event,
    HourlyCount,
    Issue,
    Merge,
    MinuteCount,
    Note,
    Occasion,
    ProjectHourlyCount,
    ProjectMinute,
    Release,
    ReleaseHourlyCount,
    SearchWords,
    SourceMap,
    Transition,
)

OF_ISSUES = (Occasion, Event, Transition, Note, Merge, SearchWords, HourlyCount, Aggregate)
OF_RELEASES = (ReleaseHourlyCount,)
OF_PROJECT = (Release, SourceMap, ProjectHourlyCount, MinuteCount, ProjectMinute)
Table: TypeAlias = type[
    Event
    | Transition
    | Note
    | Merge
    | SearchWords
    | HourlyCount
    | Aggregate
    | ReleaseHourlyCount
    | Release
    | SourceMap
    | ProjectHourlyCount
    | MinuteCount
    | Occasion
    | ProjectMinute
    | Issue
]
Condition: TypeAlias = tuple[Table, dict[str, object]]
Rows: TypeAlias = list[tuple[Table, list[int]]]


class ErrorsRemover:
    """Everything `errors` keeps (`projects.removal.Remover`)."""

    tables: Sequence[str] = tuple(
        f"errors.{model.__name__}" for model in (*OF_ISSUES, *OF_RELEASES, *OF_PROJECT, Issue)
    )
    holds_keys = True

    def count(self, project_id: str) -> int:
        """All rows, counted in indexes."""
        of_issues: list[Condition] = [(model, {"issue__project_id": project_id}) for model in OF_ISSUES]
        found = (model.objects.filter(**condition) for model, condition in [*of_issues, *self.of_project(project_id)])
        return sum(rows.count() for rows in found) + Issue.objects.filter(project_id=project_id).count()

    def of_project(self, project_id: str) -> list[Condition]:
        """What hangs on no issue, each table before those it points to."""
        of_releases: list[Condition] = [(model, {"release__project_id": project_id}) for model in OF_RELEASES]
        own: list[Condition] = [(model, {"project_id": project_id}) for model in OF_PROJECT]
        return of_releases + own

    def find(self, project_id: str, *, limit: int) -> Rows:
        """Up to `limit` rows: what hangs on some issues, then these issues; the project's own counts at the end."""
        issues = list(Issue.objects.filter(project_id=project_id).values_list("pk", flat=True)[:limit])
        if not issues:
            return self.take(self.of_project(project_id), limit=limit)
        rows = self.take([(model, {"issue_id__in": issues}) for model in OF_ISSUES], limit=limit)
        room = limit - sum(len(ids) for _, ids in rows)
        # An issue goes in a chunk that has room for all that hangs on it: what is left then is found with it. It has
        # a dozen indexes and as many tables to look into, so there is room for fewer.
        return [*rows, (Issue, issues[: max(1, room // 4)])] if room else rows

    def take(self, sources: Sequence[Condition], *, limit: int) -> Rows:
        """The ids of up to `limit` rows of these tables, in their order."""
        rows: Rows = []
        for model, condition in sources:
            ids = list(model.objects.filter(**condition).values_list("pk", flat=True)[:limit])
            limit -= len(ids)
            if ids:
                rows.append((model, ids))
            if not limit:
                break
        return rows

    def remove(self, found: Rows) -> int:
        """Delete them; with an issue goes whatever a flush added to it since."""
        return sum(model.objects.filter(pk__in=ids).delete()[0] for model, ids in found)
