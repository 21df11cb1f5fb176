"""Fills a database with traces, through the fold itself with the clock spread over days: every rollup, session and
index entry is the one that real traffic leaves, whoever adds another. `queries` counts those of pages.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402  the apps are ready only now
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from bloop_site.lib.clock import DAY_MS, now_ms  # noqa: E402
from llmtraces.contract import Rules, parse_trace  # noqa: E402
from llmtraces.services.fold import record_traces  # noqa: E402
from projects.models import DEFAULT_ID  # noqa: E402
from tests.bench.traces import trace  # noqa: E402

BATCH = 400
RULES = Rules(policy="full", max_spans=100)
CHARACTERS = 200  # of text a span: a million spans' texts are a quarter of a gigabyte


def stored(*, traces: int, days: int) -> dict[str, Any]:
    """Fold `traces` traces of five spans, begun evenly over the last `days`, in order."""
    rng, now = random.Random(11), now_ms()
    begun, start = time.perf_counter(), now - days * DAY_MS
    for low in range(0, traces, BATCH):
        entries = []
        for number in range(low, min(low + BATCH, traces)):
            at = start + (now - start) * number // traces
            raw = trace(number, rng, at_ms=at, characters=CHARACTERS)
            entries.append((DEFAULT_ID, at, parse_trace(raw, rules=RULES, now_ms=at)))
        with transaction.atomic():
            record_traces(entries)
    return {"traces": traces, "seconds": time.perf_counter() - begun}


def large(*, spans: int) -> dict[str, Any]:
    """One trace of so many spans, posted in pieces of a hundred, each hanging from the one before in tens."""
    rng, at = random.Random(12), now_ms() - 60_000
    whole = trace(0, rng, at_ms=at, characters=CHARACTERS)
    made = [
        {
            **whole["spans"][number % 5],
            "id": f"n{number}",
            "parent_span_id": f"n{number - 1}" if number % 10 else ("n0" if number else None),
            "started_at": at + number,
        }
        for number in range(spans)
    ]
    for low in range(0, spans, 100):
        piece = parse_trace({**whole, "id": "large", "spans": made[low : low + 100]}, rules=RULES, now_ms=at)
        with transaction.atomic():
            record_traces([(DEFAULT_ID, at, piece)])
    return {"spans": spans}


def settle() -> None:
    """What a database that has been up for days has done long ago."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def queries(*, paths: list[str], cookie: str) -> dict[str, Any]:
    """How many queries each page makes for the person whose session cookie this is."""
    client = Client(headers={"cookie": cookie, "host": "localhost"})
    counts = {}
    for path in paths:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        if answer.status_code != 200:
            raise SystemExit(f"{path} was answered {answer.status_code}")
        counts[path] = len(captured)
    return counts


KINDS: dict[str, Callable[..., dict[str, Any]]] = {"stored": stored, "large": large, "queries": queries}

if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    done = KINDS[arguments.pop("kind")](**arguments)
    settle()
    print(json.dumps(done))
