"""Fills a database with traces, through the fold itself with the clock spread over days: every rollup, session and
index entry is the one that real traffic leaves, whoever adds another. So are the sums of the judgements beside them.
`queries` counts those of pages.
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

from bloop_site.lib.clock import DAY_MS, HOUR_MS, now_ms  # noqa: E402
from llmtraces.contract import Rules, parse_trace  # noqa: E402
from llmtraces.models import Feedback, Score, Trace  # noqa: E402
from llmtraces.services.fold import record_traces  # noqa: E402
from llmtraces.services.judgement_sums import (  # noqa: E402
    ScoreMade,
    ThumbMade,
    write_feedback_sums,
    write_score_sums,
)
from projects.models import DEFAULT_ID  # noqa: E402
from tests.bench.traces import OLD_MODEL, OLD_PROVIDER, trace  # noqa: E402

BATCH = 400
RULES = Rules(policy="full", max_spans=100)
Values = Callable[[random.Random], float]
SCORES: tuple[tuple[str, Values], ...] = (
    ("accuracy", lambda rng: round(rng.random(), 2)),
    ("faithfulness", lambda rng: rng.random()),  # as an embedding tells it: no two alike
    ("relevance", lambda rng: rng.betavariate(8, 2)),
    ("helpfulness", lambda rng: rng.randrange(5) / 4),
    ("passed", lambda rng: float(rng.random() < 0.9)),
    ("tone", lambda rng: rng.randrange(11) / 10),
)
RECENT, RECENT_MS = 220, 20 * HOUR_MS  # 55 sessions: more than a page of them
RETRIEVAL, ANSWER = 1, 4  # of a trace's spans
CHARACTERS = 200  # of text a span: a million spans' texts are a quarter of a gigabyte


def stored(*, traces: int, days: int) -> dict[str, Any]:
    """Fold `traces` traces of five spans, in the order they began in."""
    rng, now = random.Random(11), now_ms()
    begun, starts = time.perf_counter(), starts_of(traces, days=days, now=now)
    for low in range(0, traces, BATCH):
        entries = []
        for number, at in enumerate(starts[low : low + BATCH], low):
            raw = trace(number, rng, at_ms=at, characters=CHARACTERS)
            raw["spans"][RETRIEVAL]["metadata"]["rag.relevance_scores"] = [round(rng.betavariate(8, 2), 3)]
            if number < traces // 3 and number % 3 == 0:
                raw["spans"][ANSWER] |= {"model": OLD_MODEL, "provider": OLD_PROVIDER}
            entries.append((DEFAULT_ID, at, parse_trace(raw, rules=RULES, now_ms=at)))
        with transaction.atomic():
            record_traces(entries)
            judge(rng, {parsed.trace_id: at for _, at, parsed in entries}, first=low)
    return {"traces": traces, "seconds": time.perf_counter() - begun}


def starts_of(traces: int, *, days: int, now: int) -> list[int]:
    """When they began: the last ones evenly within a day, so that a day's lists are full however few there are.

    The others evenly over the last `days`. Else a page of a day's sessions has 17 rows of 2,000 traces and 50 of
    200,000, and what is compared is how long it takes to draw the rows.
    """
    recent = min(RECENT, traces // 9)
    ranges = ((days * DAY_MS, traces - recent), (RECENT_MS, recent))
    return sorted(now - long_ms + long_ms * number // count for long_ms, count in ranges for number in range(count))


def judge(rng: random.Random, began: dict[str, int], *, first: int) -> None:
    """Three scores to two traces, and a thumb to every other: the rows by the batch, their sums by the service.

    began: when the traces did, by their ids; first: the number of the first.
    """
    keys = dict(Trace.objects.filter(project=DEFAULT_ID, trace_id__in=began).values_list("trace_id", "pk"))
    scores, thumbs = [], []
    for number, (trace_id, at) in enumerate(began.items(), first):
        common: dict[str, Any] = {"trace_id": keys[trace_id], "project_id": DEFAULT_ID, "created_ms": at}
        for turn in (number, number + 3)[: 1 + number % 2]:
            name, values = SCORES[turn % len(SCORES)]
            scores.append(Score(**common, name=name, value=values(rng), source="auto"))
        if number % 2:
            thumbs.append(Feedback(**common, user_id=f"user-{number % 997}", value=1 if rng.random() < 0.8 else -1))
    Score.objects.bulk_create(scores)
    Feedback.objects.bulk_create(thumbs)
    write_score_sums(came=[ScoreMade(each.project_id, each.created_ms, each.name, each.value) for each in scores])
    write_feedback_sums(came=[ThumbMade(each.project_id, each.created_ms, each.value) for each in thumbs])


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
