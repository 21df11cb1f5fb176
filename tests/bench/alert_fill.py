"""Fills a database with projects, rules and a day of what they are judged by, and evaluates; or makes one rule."""

import json
import os
import random
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
django.setup()

from django.db import transaction  # noqa: E402  the apps are ready only now
from django.utils import timezone  # noqa: E402

from alerts.configs import Config, parse_config, stored  # noqa: E402
from alerts.models import AlertRule, Channel, Firing  # noqa: E402
from alerts.services.evaluate import evaluate  # noqa: E402
from bloop_site.lib.clock import DAY_MS, now_ms  # noqa: E402
from errors.services.record import record_events  # noqa: E402
from errors.services.tallies import Received  # noqa: E402
from llmtraces.contract import Rules, parse_trace  # noqa: E402
from llmtraces.services.fold import record_traces  # noqa: E402
from projects.models import DEFAULT_ID, Project  # noqa: E402
from tests.bench.events import KINDS  # noqa: E402
from tests.bench.fill import parsed  # noqa: E402
from tests.bench.traces import trace  # noqa: E402

BATCH = 500
# What rules ask, in turn; high enough that a round judges all and tells nothing, which is the usual round.
CONFIGS = (
    {"type": "new_issue"},
    {"type": "threshold", "threshold": 1_000_000, "window_secs": 300},
    {"type": "threshold", "threshold": 1_000_000, "window_secs": 86_400},
    {"type": "spike", "multiplier": 1_000, "baseline_window_secs": 86_400, "compare_window_secs": 300},
    {
        "type": "spike",
        "method": "seasonal",
        "multiplier": 3,
        "baseline_window_secs": 3_600,
        "compare_window_secs": 3_600,
    },
    {"type": "llm_cost_spike", "threshold_dollars": 1_000_000, "window_secs": 5_400},
    {"type": "llm_error_rate", "threshold_percent": 100, "min_traces": 10, "window_secs": 3_600},
    {"type": "llm_latency", "percentile": "p99", "threshold_ms": 10_000_000, "window_secs": 5_400},
    {"type": "llm_budget"},
)


def rounds(*, projects: int, rules: int, events: int, traces: int, times: int) -> dict[str, Any]:
    """Seconds of each of `times` rounds over `rules` rules of `projects` projects, a day of events and traces in them.

    One rule in ten is for every project. The first round is not counted: it takes what is new.
    """
    ids = fill(projects=projects, events=events, traces=traces)
    now = now_ms()
    AlertRule.objects.bulk_create(
        rule_of(number, ids[number % len(ids)] if number % 10 else None, now) for number in range(rules)
    )
    evaluate(now_ms=now)
    fired, took = Firing.objects.count(), []
    for number in range(times):
        begun = time.perf_counter()
        evaluate(now_ms=now + 60_000 * (number + 1))
        took.append(time.perf_counter() - begun)
    return {"seconds": took, "fired": Firing.objects.count() - fired}


def rule_of(number: int, project_id: str | None, now: int) -> AlertRule:
    """The number-th rule."""
    config: Config = parse_config(CONFIGS[number % len(CONFIGS)])
    return AlertRule(
        name=f"rule {number}",
        project_id=project_id,
        rule_type=config.type,
        config=stored(config),
        created_ms=now,
        updated_ms=now,
    )


def fill(*, projects: int, events: int, traces: int) -> list[str]:
    """Projects with so many events and traces together, evenly over the last day. Returns their ids."""
    made = [
        Project(name=f"Project {number}", slug=f"project-{number}", created_at=timezone.now())
        for number in range(projects)
    ]
    ids = [project.pk for project in Project.objects.bulk_create(made)]
    rng, now = random.Random(21), now_ms()
    firsts = [parsed(issue, issue, rng, now) for issue in range(KINDS)]
    for low in range(0, events, BATCH):
        batch = [
            Received(rng.choice(ids), now - DAY_MS + DAY_MS * number // events, rng.choice(firsts))
            for number in range(low, min(low + BATCH, events))
        ]
        with transaction.atomic():
            record_events(batch)
    for low in range(0, traces, BATCH):
        entries = []
        for number in range(low, min(low + BATCH, traces)):
            at = now - DAY_MS + DAY_MS * number // traces
            raw = trace(number, rng, at_ms=at, characters=100)
            entries.append(
                (rng.choice(ids), at, parse_trace(raw, rules=Rules(policy="full", max_spans=100), now_ms=at))
            )
        with transaction.atomic():
            record_traces(entries)
    return ids


def rule(*, url: str) -> dict[str, Any]:
    """A rule that tells `url` of every new issue of the default project."""
    now = now_ms()
    config = parse_config({"type": "new_issue"})
    made = AlertRule.objects.create(
        name="new", project_id=DEFAULT_ID, rule_type=config.type, config=stored(config), created_ms=now, updated_ms=now
    )
    Channel.objects.create(
        rule=made, channel_type="webhook", config={"type": "webhook", "url": url}, secret="s" * 40, created_ms=now
    )
    return {"rule": made.pk}


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    print(json.dumps({"rounds": rounds, "rule": rule}[arguments.pop("kind")](**arguments)))
