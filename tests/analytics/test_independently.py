"""Every number of Insights against a computation of its own, from the events that were sent and nothing else.

Random shops: events over two windows, several projects, environments and releases, merged issues, muted ones, a
project that is removed, packs made while events still come. Plain Python without numpy, by the words of contract 7.
"""

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import sqrt
from random import Random
from typing import Any

import pytest
from django.test import Client

from accounts.audit import COMMAND_LINE
from analytics.api import base
from bloop_site.lib.clock import HOUR_MS, from_ms
from errors.contract import Limits, parse_event
from errors.models import Issue
from errors.services.merge import merge_issues
from errors.services.packs import pack_hours
from errors.services.record import record_events
from errors.services.status import Actor
from errors.services.tallies import Received
from errors.statuses import NO_RELEASE
from projects.models import Project
from projects.services.removal import request_removal
from tests.analytics.test_api import get
from tests.factories import make_project, make_token, make_user

START = 1_760_000_000_000 - 1_760_000_000_000 % HOUR_MS
ENVIRONMENTS = ("production", "staging", "dev ä")
RELEASES = ("1.0", "1.1", "2.0/β", NO_RELEASE)
IssueKey = tuple[str, str]  # project id, fingerprint


@dataclass(frozen=True)
class Sent:
    """An event as it was sent, and when it was received."""

    project_id: str
    fingerprint: str
    at_ms: int
    environment: str
    release: str

    @property
    def key(self) -> IssueKey:
        return self.project_id, self.fingerprint


@dataclass
class World:
    """What was sent, and what was merged into what."""

    now_ms: int
    sent: list[Sent] = field(default_factory=list)
    heads: dict[IssueKey, IssueKey] = field(default_factory=dict)

    def head(self, key: IssueKey) -> IssueKey:
        return self.heads.get(key, key)

    def hours(self, project_ids: set[str], hours: int, environment: str = "") -> dict[IssueKey, list[int]]:
        """Events of each shown issue in each of the last clock hours."""
        first = self.now_ms // HOUR_MS - hours + 1
        found: dict[IssueKey, list[int]] = {}
        for each in self.sent:
            hour = each.at_ms // HOUR_MS - first
            if each.project_id in project_ids and 0 <= hour < hours and environment in {"", each.environment}:
                found.setdefault(self.head(each.key), [0] * hours)[hour] += 1
        return found


def spikes_of(world: World, ids: set[str], *, hours: int, limit: int, environment: str, threshold: float) -> list[Any]:
    rows = []
    first = (world.now_ms // HOUR_MS - hours + 1) * HOUR_MS
    for (project_id, fingerprint), counts in world.hours(ids, hours, environment).items():
        if hours < 2 or len(set(counts)) == 1:
            continue
        mean, deviation = statistics.fmean(counts), statistics.stdev(counts)
        for hour, count in enumerate(counts):
            z = round((count - mean) / deviation, 9)
            if z >= threshold:
                order = (-z, -count, fingerprint, project_id, -hour)
                rows.append((order, (fingerprint, first + hour * HOUR_MS, count, mean, deviation, z)))
    return [row for _, row in sorted(rows)][:limit]


def movers_of(world: World, ids: set[str], *, hours: int, limit: int, environment: str) -> list[Any]:
    rows = []
    for (project_id, fingerprint), counts in world.hours(ids, 2 * hours, environment).items():
        before, now = sum(counts[:hours]), sum(counts[hours:])
        percent = float(Fraction(100 * (now - before), before)) if before else 100.0 if now else 0.0
        order = (-abs(now - before), fingerprint, project_id)
        rows.append((order, (fingerprint, now, before, now - before, percent)))
    return [row for _, row in sorted(rows)][:limit]


def pearson(a: list[int], b: list[int]) -> float:
    """Exact until the last step."""
    n = len(a)
    over = n * sum(x * y for x, y in zip(a, b, strict=True)) - sum(a) * sum(b)
    under = (n * sum(x * x for x in a) - sum(a) ** 2) * (n * sum(y * y for y in b) - sum(b) ** 2)
    return over / sqrt(under) if under else 0.0


def pairs_of(world: World, ids: set[str], *, hours: int, limit: int, environment: str) -> list[Any]:
    series = world.hours(ids, hours, environment)
    busy = {key: counts for key, counts in series.items() if sum(1 for count in counts if count) >= 6}
    rows = []
    for one, other in combinations(sorted(busy, key=lambda key: key[::-1]), 2):
        r = round(pearson(busy[one], busy[other]), 9)
        if r >= 0.7 and one[1] != other[1]:
            rows.append(((-r, one[1], one[0], other[1], other[0]), (one[1], other[1], r)))
    return [row for _, row in sorted(rows)][:limit]


def releases_of(world: World, ids: set[str], *, limit: int) -> list[Any]:
    rows = []
    for project_id in ids:
        events = [each for each in world.sent if each.project_id == project_id]
        first_of_issue: dict[IssueKey, Sent] = {}
        first_seen: dict[str, int] = {}
        for each in sorted(events, key=lambda each: each.at_ms):
            first_of_issue.setdefault(world.head(each.key), each)
            first_seen.setdefault(each.release, each.at_ms)
        counts = Counter(each.release for each in events)
        unique = {name: {world.head(each.key) for each in events if each.release == name} for name in counts}
        new = Counter(each.release for each in first_of_issue.values())
        previous = None
        for name in sorted(first_seen.keys() - {NO_RELEASE}, key=first_seen.__getitem__):
            delta = 0 if previous is None else counts[name] - counts[previous]
            impact = 10 * new[name] + (0 if previous is None else Fraction(100 * delta, counts[previous]))
            row = (name, first_seen[name], counts[name], len(unique[name]), new[name], delta, float(impact))
            rows.append((-first_seen[name], row))
            previous = name
    return [row for _, row in sorted(rows)][:limit]


def percentile(values: list[int], percent: int) -> float:
    ordered = sorted(values)
    place = Fraction(percent * (len(ordered) - 1), 100)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def environments_of(world: World, ids: set[str], *, hours: int, limit: int, environment: str) -> Any:
    first = world.now_ms // HOUR_MS - hours + 1
    by_hour: defaultdict[str, Counter[int]] = defaultdict(Counter)
    issues: defaultdict[str, set[IssueKey]] = defaultdict(set)
    for each in world.sent:
        hour = each.at_ms // HOUR_MS - first
        if each.project_id in ids and 0 <= hour < hours and environment in {"", each.environment}:
            by_hour[each.environment][hour] += 1
            issues[each.environment].add(world.head(each.key))
    total = sum(hourly.total() for hourly in by_hour.values())
    rows = []
    for name, hourly in by_hour.items():
        count, values = hourly.total(), list(hourly.values())
        figures = [percentile(values, percent) for percent in (50, 90, 99)]
        rows.append(((-count, name), (name, count, len(issues[name]), 100 * count / total, *figures)))
    return [row for _, row in sorted(rows)][:limit], total


# --- A random world ---------------------------------------------------------------------------------------------------


def hourly_profile(random: Random, hours: int) -> list[int]:
    """Events an hour of an issue: steady, rare, bursts, a day's wave, one lone event, or as another would have it."""
    kind = random.choice(("steady", "rare", "bursts", "wave", "once", "recent"))
    quiet = [0] * hours
    if kind == "steady":
        return [random.randint(1, 2) if random.random() < 0.5 else 0 for _ in quiet]
    if kind == "rare":
        return [1 if random.random() < 0.05 else 0 for _ in quiet]
    if kind == "bursts":
        return [random.randint(5, 15) if random.random() < 0.02 else 0 for _ in quiet]
    if kind == "wave":
        return [random.randint(0, 2) if 8 <= hour % 24 < 12 else 0 for hour in range(hours)]
    if kind == "once":
        quiet[random.randrange(hours)] = 1
        return quiet
    return [1 if hour > hours - 8 else 0 for hour in range(hours)]


def events_of(random: Random, project: Project, fingerprints: list[str], *, now_ms: int, hours: int) -> list[Sent]:
    """Of each issue by a profile; some go with one before them."""
    found: dict[int, Sent] = {}
    first = now_ms // HOUR_MS - hours + 1
    profile: list[int] = []
    for fingerprint in fingerprints:
        if not profile or random.random() < 0.6:
            profile = hourly_profile(random, hours)
        places = [random.choice(ENVIRONMENTS) for _ in range(2)]
        for hour, count in enumerate(profile):
            release = RELEASES[min(3 * hour // hours + random.choice((0, 0, 0, 1)), 3)]
            for _ in range(count):
                offset = random.choice((0, HOUR_MS - 1, random.randrange(HOUR_MS)))
                at_ms = (first + hour) * HOUR_MS + offset
                if at_ms <= now_ms:
                    found.setdefault(at_ms, Sent(project.pk, fingerprint, at_ms, random.choice(places), release))
    return list(found.values())


def fold(projects: dict[str, Project], some: list[Sent]) -> None:
    """As the flush does."""
    received = []
    for each in some:
        event = {
            "timestamp": each.at_ms,
            "source": "api",
            "fingerprint": each.fingerprint,
            "error_type": "E",
            "message": each.fingerprint,
            "environment": each.environment,
        }
        if each.release != NO_RELEASE:
            event["release"] = each.release
        parsed = parse_event(event, limits=Limits(), grouping=projects[each.project_id].grouping, now_ms=each.at_ms)
        received.append(Received(each.project_id, each.at_ms, parsed))
    for start in range(0, len(received), 500):
        record_events(received[start : start + 500])


def merge_some(random: Random, world: World, project: Project) -> None:
    """Let one shown issue show one or two others."""
    shown = list(Issue.objects.filter(project=project, merged_into=None).order_by("pk"))
    if len(shown) < 4:
        return
    into, *others = random.sample(shown, random.randint(2, 3))
    merge_issues(into_id=into.pk, issue_ids=[each.pk for each in others], actor=Actor(None), now_ms=world.now_ms)
    gone = {(project.pk, each.fingerprint) for each in others}
    head = (project.pk, into.fingerprint)
    world.heads.update({key: head for key, shown_by in world.heads.items() if shown_by in gone})
    world.heads.update(dict.fromkeys(gone, head))


def build(random: Random, *, hours: int) -> tuple[World, dict[str, Project]]:
    """Three projects and one that is removed. Events come in order, but for a batch that was late."""
    minute = random.choice((0, 1, HOUR_MS - 1, random.randrange(HOUR_MS)))
    world = World(START + random.randrange(24) * HOUR_MS + minute)
    made = [make_project(name=f"P{number}", slug=f"p{number}").project for number in range(4)]
    projects = {each.pk: each for each in made}
    names = [f"f{number:02}" for number in range(8)]
    for project in made:
        own = random.sample(names, random.randint(1, len(names)))
        world.sent += events_of(random, project, own, now_ms=world.now_ms, hours=hours)
    # One at a time: of releases that appear in one millisecond none is before the other.
    world.sent = sorted({each.at_ms: each for each in world.sent}.values(), key=lambda each: each.at_ms)
    cut = sorted(random.randrange(len(world.sent)) for _ in range(2))
    early, middle, late = world.sent[: cut[0]], world.sent[cut[0] : cut[1]], world.sent[cut[1] :]
    delayed = [each for each in middle if random.random() < 0.1]
    fold(projects, early)
    if early and random.random() < 0.7:
        pack_hours(now_ms=early[-1].at_ms, seconds=30)
    merge_some(random, world, made[0])
    fold(projects, [each for each in middle if each not in delayed])
    if random.random() < 0.7:
        pack_hours(now_ms=world.now_ms, seconds=30)
    fold(projects, delayed + late)
    merge_some(random, world, made[1])
    merge_some(random, world, made[0])
    Issue.objects.filter(project=made[1], fingerprint__lte="f02").update(status="muted")
    Issue.objects.filter(project=made[0], fingerprint__lte="f01").update(status="ignored")
    if random.random() < 0.5:
        pack_hours(now_ms=world.now_ms, seconds=30)
    request_removal(project=made[3], actor=COMMAND_LINE, now=from_ms(world.now_ms))
    return world, {each.pk: each for each in made[:3]}


def near(rows: list[Any]) -> list[Any]:
    """The rows, equal to what differs from them in the last bits of its arithmetic."""
    return [tuple(pytest.approx(each, rel=1e-8) if isinstance(each, float) else each for each in row) for row in rows]


def values(rows: list[dict[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in keys) for row in rows]


SPIKE = ("fingerprint", "hour_bucket", "count", "mean", "stddev", "zscore")
MOVER = ("fingerprint", "count_current", "count_previous", "delta", "delta_pct")
PAIR = ("fingerprint_a", "fingerprint_b", "correlation")
RELEASE_COUNTS = ("release", "first_seen", "error_count", "unique_fingerprints", "new_fingerprints", "error_delta")
RELEASE = (*RELEASE_COUNTS, "impact_score")
ENVIRONMENT_SHARES = ("environment", "total_count", "unique_errors", "pct_of_total")
ENVIRONMENT = (*ENVIRONMENT_SHARES, "p50_hourly", "p90_hourly", "p99_hourly")


def compare(world: World, client: Client, ids: set[str], query: str, *, threshold: float, **asked: Any) -> None:
    """All five endpoints."""
    answer = get(client, f"spikes{query}&threshold={threshold}")
    assert values(answer["spikes"], *SPIKE) == near(spikes_of(world, ids, **asked, threshold=threshold))

    answer = get(client, f"movers{query}")
    assert values(answer["movers"], *MOVER) == near(movers_of(world, ids, **asked))

    answer = get(client, f"correlations{query}")
    assert values(answer["pairs"], *PAIR) == near(pairs_of(world, ids, **asked))

    answer = get(client, f"releases{query}")
    assert values(answer["releases"], *RELEASE) == near(releases_of(world, ids, limit=asked["limit"]))

    answer = get(client, f"environments{query}")
    rows, total = environments_of(world, ids, **asked)
    assert (values(answer["environments"], *ENVIRONMENT), answer["total_count"]) == (near(rows), total)


@pytest.mark.django_db
@pytest.mark.parametrize(("seed", "hours"), [(1, 1), (2, 2), (3, 5), (126, 30), (5, 72), (6, 200)])
def test_every_number_is_that_of_a_plain_computation(seed: int, hours: int, monkeypatch: pytest.MonkeyPatch):
    random = Random(seed)
    world, projects = build(random, hours=2 * hours + random.randint(0, 3))
    monkeypatch.setattr(base, "now_ms", lambda: world.now_ms)
    ids = list(projects)
    reachable = set(random.sample(ids, 2))
    person = Client()
    person.force_login(make_user(projects=tuple(projects[pk] for pk in reachable)))
    own = random.choice(ids)
    token = make_token(projects[own], scopes=("analytics:read",))
    script = Client(headers={"Authorization": f"Bearer {token.secret}"})
    for _ in range(3):
        asked: dict[str, Any] = {
            "hours": random.choice((hours, 1, random.randint(1, 2 * hours))),
            "limit": random.choice((1, 2, 5, 20, 100)),
            "environment": random.choice(("", "", *ENVIRONMENTS)),
            "threshold": random.choice((0, 1, 2.5, -1)),
        }
        query = f"?hours={asked['hours']}&limit={asked['limit']}&environment={asked['environment']}"
        compare(world, person, reachable, query, **asked)
        compare(world, script, {own}, f"{query}&project_id={ids[0]}", **asked)
        for pk in reachable:
            compare(world, person, {pk}, f"{query}&project_id={pk}", **asked)
