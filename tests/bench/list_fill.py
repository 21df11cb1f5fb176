"""Fills a database with issues as years of use leave them: few projects, places and words have most, many have few.

Straight into the tables, as the flush would have left them; raw events apart, which no list reads.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402  the apps are ready only now
from django.utils import timezone  # noqa: E402

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of, now_ms  # noqa: E402
from bloop_site.lib.db import insert_rows  # noqa: E402
from errors.search_words import MAX_WORDS, words_of  # noqa: E402
from projects.models import DEFAULT_ID  # noqa: E402
from projects.services.projects import create_project  # noqa: E402
from tests.bench.events import NAMES, STACKS, TYPES  # noqa: E402

DAYS = 90
RELEASES = 60
BATCH = 2_000
Weighted = tuple[Sequence[str], Sequence[float]]
SOURCES: Weighted = (("web", "api", "ios", "android", "cli"), (40, 30, 15, 14.9, 0.1))
ENVIRONMENTS: Weighted = (("production", "staging", "development", "canary"), (85, 12, 2.9, 0.1))
STATUSES: Weighted = (("unresolved", "resolved", "ignored", "muted"), (60, 30, 9, 1))
PROJECTS = (70, 15, 8, 4, 2, 1)
ROUTES = 2_000
VOCABULARY = 3_000
MERGED_EVERY = 100
INSERTS = {
    "issue": "(id, project_id, fingerprint, status, error_type, message, source, route, screen, first_seen_ms,"
    " last_seen_ms, total_count, first_release, merged_into_id, in_next_release)",
    "searchwords": "(issue_id, words)",
    "aggregate": "(issue_id, project_id, release, environment, error_type, message, source, route, screen,"
    " first_seen_ms, last_seen_ms, total_count)",
    "hourlycount": "(issue_id, hour_ms, environment, source, count)",
    "release": "(project_id, name, first_seen_ms, last_seen_ms, total_count)",
    "projecthourlycount": "(project_id, hour_ms, environment, source, count)",
}
Rows = dict[str, list[tuple[Any, ...]]]


def zipf(number: int) -> list[float]:
    """Cumulative weights: the second comes half as often as the first, the third a third as often."""
    return list(accumulate(1 / (index + 1) for index in range(number)))


ROUTE_WEIGHTS, WORD_WEIGHTS, TYPE_WEIGHTS = zipf(ROUTES), zipf(VOCABULARY), zipf(len(TYPES))


def release_name(index: int) -> str:
    """The releases in their order: 3.0.0, 3.0.1 … 3.5.9."""
    return f"3.{index // 10}.{index % 10}"


@cache
def stack_words(dialect: int, name: str, error_type: str) -> str:
    return words_of([STACKS[dialect](name, error_type)])


def chosen(rng: random.Random, weighted: Weighted) -> str:
    return rng.choices(*weighted)[0]


def issue_rows(rng: random.Random, number: int, project_id: str, now: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """An issue with its words, aggregates and hours. Older issues are mostly seen last long ago."""
    born = int(rng.random() ** 0.7 * DAYS)  # days after the beginning
    first_ms = now - (DAYS - born) * DAY_MS + rng.randrange(DAY_MS)
    last_ms = min(now, first_ms + int(rng.expovariate(1 / (3 * DAY_MS))))
    first_ms = min(first_ms, last_ms)
    error_type, message = rng.choices(TYPES, cum_weights=TYPE_WEIGHTS)[0]
    noise = rng.choices(range(VOCABULARY), cum_weights=WORD_WEIGHTS, k=6)
    message = f"{message.format(n=number)}: {' '.join(f'noun{word}' for word in noise)} ref{number}"
    name = rng.choice(NAMES)
    route = None if rng.random() < 0.1 else f"/api/{rng.choices(range(ROUTES), cum_weights=ROUTE_WEIGHTS)[0]}/{name}"
    source, status = chosen(rng, SOURCES), chosen(rng, STATUSES)
    total = max(1, int(rng.paretovariate(0.9)))
    release = min(RELEASES - 1, born * RELEASES // DAYS)
    texts = (error_type, message, source, route, None)
    merged_into = number - 6 if number % MERGED_EVERY == 0 and number > 6 else None
    fixed = (project_id, f"{number:016x}", status, *texts, first_ms, last_ms, total, release_name(release))
    yield "issue", (number, *fixed, merged_into, False)
    words = f"{words_of([error_type, message, route])} {stack_words(number % len(STACKS), name, error_type)}"
    yield "searchwords", (number, " ".join(list(dict.fromkeys(words.split(" ")))[:MAX_WORDS]))
    places = {
        (release_name(min(RELEASES - 1, release + step)), chosen(rng, ENVIRONMENTS))
        for step in range(min(total, 1 + int(rng.expovariate(0.7))))
    }
    for place in places:
        yield "aggregate", (number, project_id, *place, *texts, first_ms, last_ms, max(1, total // len(places)))
    for hours in {int(rng.expovariate(0.2)) for _ in range(min(total, 5))}:
        yield "hourlycount", (number, hour_of(last_ms) - hours * HOUR_MS, "production", source, 1 + total // 10)


def project_rows(project_id: str, now: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The rollups of a project: releases, and hours by place."""
    for index in range(RELEASES):
        at = now - (RELEASES - index) * DAYS * DAY_MS // RELEASES
        yield "release", (project_id, release_name(index), at, now, 1000)
    for hour in range(DAYS * 24):
        for environment in ENVIRONMENTS[0][:3]:
            for source in SOURCES[0][:4]:
                yield (
                    "projecthourlycount",
                    (project_id, hour_of(now) - hour * HOUR_MS, environment, source, 5 + hour % 9),
                )


def write(rows: Rows) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for table, columns in INSERTS.items():
            insert_rows(cursor, f"INSERT INTO errors_{table} {columns}", rows.pop(table, []))


def listed(*, issues: int) -> dict[str, Any]:
    """`issues` issues in six projects with all that the list reads of them."""
    rng, now, begun = random.Random(7), now_ms(), time.perf_counter()
    names = [f"part-{number}" for number in range(1, len(PROJECTS))]
    created = [create_project(name=name, slug=name, created_by=None, now=timezone.now()).project.pk for name in names]
    projects = [DEFAULT_ID, *created]
    rows: Rows = {}
    for project_id in projects:
        for table, row in project_rows(project_id, now):
            rows.setdefault(table, []).append(row)
    owners = [project_id for project_id, share in zip(projects, PROJECTS, strict=True) for _ in range(share)]
    for number in range(1, issues + 1):
        # A merged issue and the one that shows it, six before, are of the same project.
        for table, row in issue_rows(rng, number, owners[(number + 6) // MERGED_EVERY * 37 % len(owners)], now):
            rows.setdefault(table, []).append(row)
        if number % BATCH == 0 or number == issues:
            write(rows)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence('errors_issue', 'id'), (SELECT max(id) FROM errors_issue))"
            )
            cursor.execute("ANALYZE")
    return {"issues": issues, "seconds": time.perf_counter() - begun}


if __name__ == "__main__":
    print(json.dumps(listed(**json.loads(sys.argv[1]))))
