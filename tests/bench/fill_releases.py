"""Fills a database with many releases: each brings its share of the issues, and old ones come back or are resolved."""

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

from django.db import transaction  # noqa: E402  the apps are ready only now

from bloop_site.lib.clock import DAY_MS, now_ms  # noqa: E402
from errors.contract import Event, Limits, parse_event  # noqa: E402
from errors.models import Issue, Status, Transition  # noqa: E402
from errors.services.record import record_events  # noqa: E402
from errors.services.tallies import Received  # noqa: E402
from projects.models import DEFAULT_ID  # noqa: E402
from tests.bench.events import ENVIRONMENTS, event  # noqa: E402

BATCH = 2_000
TIMES = 4  # events of each issue


def stored(*, issues: int, releases: int, days: int) -> dict[str, Any]:
    """Record four events of each issue over the last `days`, a release after the other, and what people did about them.

    Every fourth event is a new issue's; the others are of any there is. Of ten issues four were resolved some time
    after they came, and two of those came back in the release that was the newest later on.
    """
    rng, now, begun = random.Random(7), now_ms(), time.perf_counter()
    start, total = now - days * DAY_MS, issues * TIMES
    firsts: list[Event] = []
    for low in range(0, total, BATCH):
        batch = []
        for number in range(low, min(low + BATCH, total)):
            at = start + (now - start) * number // total
            if number % TIMES == 0:
                fields = event(issue=len(firsts), number=number, rng=rng)
                firsts.append(parse_event(fields, limits=Limits(), grouping="v1", now_ms=at))
            first = firsts[-1] if number % TIMES == 0 else rng.choice(firsts)
            place = {"release": release_at(number, total, releases), "environment": rng.choice(ENVIRONMENTS)}
            batch.append(Received(DEFAULT_ID, at, msgspec.structs.replace(first, timestamp_ms=at, **place)))
        with transaction.atomic():
            record_events(batch)
    changes = [change for issue in Issue.objects.iterator() for change in story_of(issue, start, now, releases, rng)]
    Transition.objects.bulk_create(changes, batch_size=500)
    return {"events": total, "transitions": len(changes), "seconds": time.perf_counter() - begun}


def release_at(number: int, total: int, releases: int) -> str:
    """The release that is the newest when `number` of `total` are over."""
    return f"2026.{number * releases // total:04}"


def story_of(issue: Issue, start: int, now: int, releases: int, rng: random.Random) -> list[Transition]:
    """The status changes of one issue; most have none."""
    if issue.pk % 5 > 1:
        return []
    at = rng.randrange(issue.first_seen_ms, now)
    common = {"issue": issue, "project_id": issue.project_id}
    open_, done = Status.UNRESOLVED, Status.RESOLVED
    story = [Transition(**common, old_status=open_, new_status=done, cause="call", changed_ms=at)]
    if issue.pk % 5 == 0:
        later = rng.randrange(at, now)
        release = release_at(later - start, now - start, releases)
        back = {"cause": "regression", "release": release, "changed_ms": later}
        story.append(Transition(**common, old_status=done, new_status=open_, **back))
    return story


if __name__ == "__main__":
    print(json.dumps(stored(**json.loads(sys.argv[1]))))
