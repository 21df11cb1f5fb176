"""Fills a database: `stored` through the errors service with the clock spread over days, `backlog` into the buffer."""

import json
import os
import random
import sys
import time
from typing import Any

import django
import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402  the apps are ready only now

from bloop_site.lib.clock import DAY_MS, now_ms  # noqa: E402
from errors.contract import Event, Limits, encode_events, parse_event  # noqa: E402
from errors.services.record import record_events  # noqa: E402
from errors.services.tallies import Received  # noqa: E402
from ingest.buffer import INSERT_SQL  # noqa: E402
from projects.models import DEFAULT_ID  # noqa: E402
from tests.bench.events import ENVIRONMENTS, KINDS, RELEASES, event  # noqa: E402

BATCH = 2_000


def parsed(issue: int, number: int, rng: random.Random, at: int) -> Event:
    return parse_event(event(issue=issue, number=number, rng=rng), limits=Limits(), grouping="v1", now_ms=at)


def stored(*, events: int, issues: int, days: int) -> dict[str, Any]:
    """Record `events` of `issues` issues, received evenly over the last `days` in order; each issue is there early.

    Events differ from their issue's first in time, place and message only, so they are not parsed one by one.
    """
    rng, now = random.Random(5), now_ms()
    firsts = [parsed(issue, issue, rng, now) for issue in range(issues)]
    begun, start = time.perf_counter(), now - days * DAY_MS
    for low in range(0, events, BATCH):
        batch = []
        for number in range(low, min(low + BATCH, events)):
            at = start + (now - start) * number // events
            first = firsts[number if number < issues else rng.randrange(issues)]
            message = f"{first.message} {number}"
            place = {"release": rng.choice(RELEASES), "environment": rng.choice(ENVIRONMENTS)}
            batch.append(
                Received(DEFAULT_ID, at, msgspec.structs.replace(first, timestamp_ms=at, message=message, **place))
            )
        with transaction.atomic():
            record_events(batch)
    return {"events": events, "seconds": time.perf_counter() - begun}


def backlog(*, events: int) -> dict[str, Any]:
    """Put `events` payloads of one event each into the buffer, as ingest leaves them when no worker runs."""
    rng, now = random.Random(3), now_ms()
    with transaction.atomic(), connection.cursor() as cursor:
        for number in range(events):
            body = encode_events([parsed(rng.randrange(KINDS), number, rng, now)])
            cursor.execute(INSERT_SQL, ["errors", DEFAULT_ID, body, 1, now + number // 3])
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"events": events}


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    fill = stored if arguments.pop("kind") == "stored" else backlog
    print(json.dumps(fill(**arguments)))
