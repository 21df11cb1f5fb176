"""Hourly counts as HourlyCount has them, many at a time, as arrays. Loads numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

Integers = NDArray[np.int64]
READ = 20_000  # rows as Python objects at a time
COUNTS = """
    SELECT i.project_id, h.issue_id, h.environment, h.hour_ms, h.count
    FROM errors_hourlycount h JOIN errors_issue i ON i.id = h.issue_id
    WHERE h.hour_ms >= %s AND h.hour_ms < %s
"""


@dataclass(frozen=True)
class Counts:
    """Rows of HourlyCount, a column each. environments: as indexes into a list of names."""

    issue_ids: Integers
    environments: Integers
    hours_ms: Integers
    counts: Integers


@dataclass(frozen=True)
class StoredCounts:
    """Rows of several projects; projects, environments: names that the columns of indexes point to."""

    projects: tuple[str, ...]
    environments: tuple[str, ...]
    project: Integers
    rows: Counts

    def of(self, project_id: str) -> tuple[Counts, list[str]]:
        """The rows of a project and the names of its own environments, which they point to."""
        if project_id not in self.projects:
            return Counts(*(np.zeros(0, dtype=np.int64) for _ in range(4))), []
        is_own = self.project == self.projects.index(project_id)
        used, places = np.unique(self.rows.environments[is_own], return_inverse=True)
        own = Counts(self.rows.issue_ids[is_own], places, self.rows.hours_ms[is_own], self.rows.counts[is_own])
        return own, [self.environments[index] for index in used.tolist()]


def stored_counts(*, project_ids: Sequence[str], start_ms: int, end_ms: int, environment: str = "") -> StoredCounts:
    """The counts of these projects' hours from `start_ms` until before `end_ms`, sources apart, in no order."""
    # The plus: by the hour, which is what there is an index for; not issue by issue of the projects.
    plus = "+" if connection.vendor == "sqlite" else ""
    sql = f"{COUNTS} AND {plus}i.project_id IN ({', '.join(['%s'] * len(project_ids))})"
    values: list[Any] = [start_ms, end_ms, *project_ids]
    if environment:
        sql, values = f"{sql} AND h.environment = %s", [*values, environment]
    projects: dict[str, int] = {}
    environments: dict[str, int] = {}
    parts: list[NDArray[np.int64]] = []
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        while rows := cursor.fetchmany(READ):
            numbers = [
                (
                    projects.setdefault(project, len(projects)),
                    issue,
                    environments.setdefault(name, len(environments)),
                    *rest,
                )
                for project, issue, name, *rest in rows
            ]
            parts.append(np.array(numbers, dtype=np.int64))
    table = np.concatenate(parts) if parts else np.zeros((0, 5), dtype=np.int64)
    project, *columns = (np.ascontiguousarray(column) for column in table.T)
    return StoredCounts(tuple(projects), tuple(environments), project, Counts(*columns))
