"""Fills a database for alert rules: many projects with a week of minutes, a month of hours and rules of every kind.

`filled` writes it in plain SQL; `rounds` times evaluations of it, by a clock that goes on a minute a round.
"""

import json
import os
import random
import resource
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402  the apps are ready only now
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from alerts.models import AlertRule  # noqa: E402
from alerts.services.evaluate import evaluate_some  # noqa: E402
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, day_of, hour_of, now_ms  # noqa: E402
from errors.contract import Limits, parse_event  # noqa: E402
from errors.services.record import record_events  # noqa: E402
from errors.services.tallies import Received  # noqa: E402
from llmtraces.packing import packed  # noqa: E402
from llmtraces.percentiles import bucket_of  # noqa: E402
from projects.models import Project  # noqa: E402
from tests.bench.events import event  # noqa: E402

MODELS = ("gpt-4o", "claude", "")
NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %s)"


def moment() -> int:
    """Five minutes into the hour: when the last hour's seasons are looked at too."""
    return hour_of(now_ms()) + 5 * MINUTE_MS


def filled(*, projects: int, rules: int, days: int) -> dict[str, Any]:
    """The whole of it; the last minutes' events come through the fold."""
    begun, now = time.perf_counter(), moment()
    Project.objects.bulk_create(
        Project(pk=f"p{number}", name=f"Project {number}", slug=f"p{number}", created_at=timezone.now())
        for number in range(projects)
    )
    with transaction.atomic():
        fill_minutes(now, days=days)
        fill_usage(now, days=4 * days)
    for round_ms in (now - 30 * MINUTE_MS, now - 40_000, now - 5_000):
        with transaction.atomic():
            record_events(some_events(projects, round_ms))
    with transaction.atomic():
        fill_issue_hours(now, days=4 * days)
    make_rules(projects, rules)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"seconds": time.perf_counter() - begun}


def some_events(projects: int, at: int) -> list[Received]:
    """Five issues of each project, six events each."""
    rng = random.Random(at)
    found = []
    for number in range(projects):
        for each in range(30):
            raw = event(issue=each % 5, number=each, rng=rng)
            found.append(Received(f"p{number}", at, parse_event(raw, limits=Limits(), grouping="v1", now_ms=at)))
    return found


def fill_minutes(now: int, *, days: int) -> None:
    """Two events a minute in production, one in staging; hours to match."""
    with connection.cursor() as cursor:
        for environment, count in (("production", 2), ("staging", 1)):
            first = now - now % MINUTE_MS - days * DAY_MS
            cursor.execute(
                f"{NUMBERS} INSERT INTO errors_projectminute (project_id, minute_ms, environment, source, count)"
                " SELECT p.id, %s + i * 60000, %s, 'api', %s FROM projects_project p, n",
                [days * 1440, first, environment, count],
            )
            cursor.execute(
                f"{NUMBERS} INSERT INTO errors_projecthourlycount (project_id, hour_ms, environment, source, count)"
                " SELECT p.id, %s + i * 3600000, %s, 'api', %s FROM projects_project p, n",
                [days * 24, hour_of(first), environment, count * 60],
            )


def fill_issue_hours(now: int, *, days: int) -> None:
    """Every hour of the issues' past, a few events each."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{NUMBERS} INSERT INTO errors_hourlycount (issue_id, hour_ms, environment, source, count)"
            " SELECT s.id, %s - i * 3600000, 'production', 'old', 4 + (s.id + i) %% 7 FROM errors_issue s, n",
            [days * 24, hour_of(now) - HOUR_MS],
        )


def fill_usage(now: int, *, days: int) -> None:
    """Hours of three models: cost, spans, failures, latencies; and spans of the last hours."""
    latencies = packed({bucket_of(ms): 1 + ms % 7 for ms in range(50, 6_000, 40)})
    hour = hour_of(now)
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(
                f"{NUMBERS} INSERT INTO llmtraces_usagehour (project_id, hour_ms, model, provider, span_count,"
                " error_count, unpriced_count, input_tokens, output_tokens, cached_tokens, cache_write_tokens,"
                " reasoning_tokens, cost_micros, latency_ms, ttft_ms, ttft_count)"
                " SELECT p.id, %s - i * 3600000, %s, 'x', 1000, 20, 0, 1, 1, 0, 0, 0, 500000, 9, 0, 0"
                " FROM projects_project p, n",
                [days * 24, hour, model],
            )
            for is_day, number, last, step in ((False, days * 24, hour, HOUR_MS), (True, days, day_of(now), DAY_MS)):
                cursor.execute(
                    f'{NUMBERS} INSERT INTO llmtraces_durations (project_id, hour_ms, is_day, kind, "of", "by", counts)'
                    " SELECT p.id, %s - i * %s, %s, 'latency', %s, 'x', %s FROM projects_project p, n",
                    [number, last, step, is_day, model, latencies],
                )


def make_rules(projects: int, rules: int) -> None:
    """Rules of every kind, most of a project, some of all; most do not fire, and some come close."""
    rng = random.Random(4)
    kinds: list[tuple[int, str, dict[str, Any]]] = [
        (20, "new_issue", {"environment": None}),
        (22, "threshold", {"threshold": 60, "window_secs": 300}),
        (6, "threshold", {"threshold": 4400, "window_secs": 86_400}),
        (4, "threshold", {"threshold": 10_000_000, "window_secs": 604_800}),
        (4, "threshold", {"threshold": 100, "window_secs": 3600, "route": "/orders"}),
        (14, "spike", {"multiplier": 20.0, "baseline_window_secs": 3600, "compare_window_secs": 300}),
        (4, "spike", {"multiplier": 20.0, "baseline_window_secs": 86_400, "compare_window_secs": 3600}),
        (2, "spike", {"multiplier": 1, "baseline_window_secs": 60, "compare_window_secs": 60, "method": "seasonal"}),
        (8, "llm_cost_spike", {"threshold_dollars": 2.0, "window_secs": 3600}),
        (4, "llm_cost_spike", {"threshold_dollars": 60.0, "window_secs": 86_400, "model_filter": "gpt-4o"}),
        (6, "llm_error_rate", {"threshold_percent": 5.0, "min_traces": 10, "window_secs": 900}),
        (4, "llm_latency", {"percentile": "p99", "threshold_ms": 8_000, "window_secs": 900}),
        (2, "llm_latency", {"percentile": "p95", "threshold_ms": 8_000, "window_secs": 86_400}),
    ]
    wheel = [(kind, config) for share, kind, config in kinds for _ in range(share)]
    rows = []
    for number in range(rules):
        kind, config = wheel[number % len(wheel)]
        project = None if number % 25 == 24 else f"p{rng.randrange(projects)}"
        rows.append(
            AlertRule(
                name=f"Rule {number}",
                project_id=project,
                rule_type=kind,
                config={"type": kind, **config},
                created_ms=0,
                updated_ms=0,
            )
        )
    AlertRule.objects.bulk_create(rows)


def told(*, url: str) -> dict[str, Any]:
    """One rule that tells new issues to a webhook, each by itself."""
    rule = AlertRule.objects.create(
        name="Fresh", rule_type="new_issue", config={"type": "new_issue"}, created_ms=0, updated_ms=0
    )
    rule.channels.create(channel_type="webhook", config={"type": "webhook", "url": url}, created_ms=0)
    return {"rule": rule.pk}


def rounds(*, number: int) -> dict[str, Any]:
    """Seconds of each round: the first tells what happened and fires what is so, the others find it told."""
    seconds, now = [], moment()
    queries = 0
    for each in range(number):
        begun = time.perf_counter()
        if each == number - 1:
            with CaptureQueriesContext(connection) as seen:
                done = evaluate_some(now_ms=now + each * MINUTE_MS, seconds=60)
            queries = len(seen)
        else:
            done = evaluate_some(now_ms=now + each * MINUTE_MS, seconds=60)
            seconds.append(time.perf_counter() - begun)
        if done.failed or done.next_job is not None:
            raise SystemExit("a round failed")
    begun = time.perf_counter()
    evaluate_some(now_ms=now + number * MINUTE_MS, only_busy=True)
    nudged = time.perf_counter() - begun
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"seconds": seconds, "queries": queries, "nudged": nudged, "peak_mb": peak_mb}


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    work: Any = {"fill": filled, "told": told, "rounds": rounds}[arguments.pop("kind")]
    print(json.dumps(work(**arguments)))
