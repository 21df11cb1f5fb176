"""Fills hourly counts: each issue in every hour, as 30 days of a very bad month leave them; and packs them.

Straight into the tables, in the order in which the flush would have written them, hour by hour.
"""

import json
import os
import random
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402  the apps are ready only now

from bloop_site.lib.clock import HOUR_MS, hour_of, now_ms  # noqa: E402
from bloop_site.lib.db import insert_rows  # noqa: E402
from errors.services.packs import note_hours, pack_hours  # noqa: E402
from projects.models import DEFAULT_ID  # noqa: E402
from tests.bench.events import TYPES  # noqa: E402

ENVIRONMENTS = ("production",) * 8 + ("staging", "development")  # an issue stays in its own
RELEASES_OF_ISSUE = 20  # in a row
SPIKES = 40  # of issue and hour
RECENT = 72  # hours in which every other one of them is
BURST = 30  # times what is usual
TABLES = {
    "issue": "(id, project_id, fingerprint, status, error_type, message, source, first_seen_ms, last_seen_ms,"
    " total_count, first_release, in_next_release)",
    "aggregate": "(issue_id, project_id, release, environment, error_type, message, source, first_seen_ms,"
    " last_seen_ms, total_count)",
    "release": "(project_id, name, first_seen_ms, last_seen_ms, total_count)",
    "hourlycount": "(issue_id, hour_ms, environment, source, count)",
    "projecthourlycount": "(project_id, hour_ms, environment, source, count)",
}


def write(table: str, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        insert_rows(cursor, f"INSERT INTO errors_{table} {TABLES[table]}", rows)


def filled(*, issues: int, hours: int, releases: int) -> dict[str, Any]:
    """Issues with a count in each of the last `hours` clock hours, the running one too, and packs of all that is over.

    They are spread over `releases`; each is seen in twenty of them. Returns rows, seconds, and seconds of packing.
    """
    rng, now, begun = random.Random(7), now_ms(), time.perf_counter()
    first_hour = hour_of(now) - (hours - 1) * HOUR_MS
    with transaction.atomic():
        write_issues(issues, releases=releases, start=first_hour, now=now)
    ago = [rng.randrange(hours if number % 2 else min(hours, RECENT)) for number in range(SPIKES)]
    spikes = {(hours - 1 - each, rng.randrange(issues)) for each in ago}
    levels = [1 + number % 7 for number in range(issues)]
    for hour in range(hours):
        at = first_hour + hour * HOUR_MS
        wave = 1 + (hour % 24 > 8)
        counts = [level * wave + (number * hour) % 3 for number, level in enumerate(levels)]
        for spike_hour, number in spikes:
            counts[number] *= BURST if spike_hour == hour else 1
        totals: dict[str, int] = {}
        for number, count in enumerate(counts):
            totals[place_of(number)] = totals.get(place_of(number), 0) + count
        with transaction.atomic():
            write(
                "hourlycount", [(number + 1, at, place_of(number), "api", count) for number, count in enumerate(counts)]
            )
            write("projecthourlycount", [(DEFAULT_ID, at, place, "api", count) for place, count in totals.items()])
            note_hours([(DEFAULT_ID, at)])
    written = time.perf_counter()
    while not pack_hours(now_ms=now_ms(), seconds=2):
        pass
    return {
        "rows": issues * hours,
        "seconds": written - begun,
        "packing_seconds": time.perf_counter() - written,
    }


def place_of(number: int) -> str:
    return ENVIRONMENTS[number % len(ENVIRONMENTS)]


def write_issues(issues: int, *, releases: int, start: int, now: int) -> None:
    """The issues, their releases and aggregates: an issue's first release is the `number * releases / issues`-th."""
    step = max(1, (now - start) // releases)
    totals = [0] * releases
    issue_rows: list[tuple[Any, ...]] = []
    aggregates: list[tuple[Any, ...]] = []
    for number in range(issues):
        error_type, message = TYPES[number % len(TYPES)]
        texts = (error_type, message.format(n=number), "api")
        first = number * releases // issues
        last = min(releases, first + RELEASES_OF_ISSUE)
        for index in range(first, last):
            totals[index] += 10
            place = (name_of(index), place_of(number))
            aggregates.append((number + 1, DEFAULT_ID, *place, *texts, start + index * step, now, 10))
        fixed = (DEFAULT_ID, f"{number:016x}", "unresolved", *texts, start + first * step, now)
        issue_rows.append((number + 1, *fixed, 10 * (last - first), name_of(first), False))
    write("issue", issue_rows)
    write("aggregate", aggregates)
    write(
        "release", [(DEFAULT_ID, name_of(index), start + index * step, now, totals[index]) for index in range(releases)]
    )


def name_of(index: int) -> str:
    return f"2026.{index:04}"


if __name__ == "__main__":
    print(json.dumps(filled(**json.loads(sys.argv[1]))))
