"""Plays the catalogue through the real services, hour by hour, with the clock passed in."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from accounts.audit import COMMAND_LINE
from accounts.models import Role, User
from accounts.queries import oldest_admin
from bloop_site.demo.alerts import make_alerts
from bloop_site.demo.catalogue import ISSUES
from bloop_site.demo.llm import Failed, play_traces
from bloop_site.demo.llm_catalogue import UNREADABLE
from bloop_site.demo.model import API, PROJECTS, DemoIssue, DemoProject
from bloop_site.demo.shape import is_outage, poisson, rhythm
from bloop_site.demo.work import do_work
from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, from_ms, hour_of
from errors.contract import Event, Limits, encode_events, parse_event
from errors.queries.issues import find_issue
from errors.services.status import Actor, change_status
from errors.statuses import Change
from ingest import buffer
from ingest.flush import flush_all
from projects.models import Membership, Project
from projects.services.projects import choose_grouping, create_project

DAYS = 14
SLOT_MS = 5 * MINUTE_MS
OUTAGE_RATE = 14  # events an hour, whatever the time of day
LIMITS = Limits()
PEOPLE = (("ann", Role.ADMIN), ("max", Role.MEMBER))


@dataclass(frozen=True)
class Played:
    projects: int
    issues: int
    events: int
    traces: int


@dataclass(frozen=True)
class Stage:
    """A project with the application that sends to it."""

    project: Project
    app: DemoProject

    def release_at(self, at_ms: int, now_ms: int, chance: random.Random) -> str:
        """The release an event comes from: the newest out by then, on its first day often the one before."""
        out = [name for name, days in self.app.releases if now_ms - days * DAY_MS <= at_ms] or [self.app.releases[0][0]]
        fresh = at_ms - (now_ms - dict(self.app.releases)[out[-1]] * DAY_MS) < DAY_MS
        return out[-2] if len(out) > 1 and fresh and chance.random() < 0.4 else out[-1]

    def order(self, release: str) -> int:
        return [name for name, _ in self.app.releases].index(release)


def play(*, now: datetime) -> Played | None:
    """Make three projects with two weeks of events up to `now`; None when they are there already."""
    if Project.objects.filter(slug=PROJECTS[0].slug).exists():
        return None
    now_ms = int(now.timestamp() * 1000)
    chance = random.Random(20_261_122)  # noqa: S311  the same demo every time
    users = make_people(now=from_ms(now_ms - DAYS * DAY_MS))
    stages = {app.slug: make_stage(app, users=users, now=from_ms(now_ms - DAYS * DAY_MS)) for app in PROJECTS}
    fingerprints: dict[int, str] = {}
    events = 0
    for hour_ms in range(hour_of(now_ms - DAYS * DAY_MS), now_ms, HOUR_MS):
        for stage in stages.values():
            events += play_hour(stage, hour_ms, now_ms=now_ms, chance=chance, fingerprints=fingerprints)
        tell_stories(stages, hour_ms, now_ms=now_ms, fingerprints=fingerprints, users=users)
    flush_all()
    traces = play_traces({slug: stage.project for slug, stage in stages.items()}, now_ms=now_ms, days=DAYS)
    events += tell_failures(stages[API], traces.failed, now_ms=now_ms, chance=chance)
    named = {(ISSUES[index].project, ISSUES[index].message): each for index, each in fingerprints.items()}
    projects = {slug: stage.project for slug, stage in stages.items()}
    do_work(projects, named, users, now_ms)
    make_alerts(projects, users, now_ms)
    return Played(projects=len(stages), issues=len(ISSUES), events=events, traces=traces.traces)


def make_people(*, now: datetime) -> list[User]:
    """The team: who is there already, else Ann (admin) and Max (member)."""
    admin = oldest_admin()
    if admin is not None:
        return [admin]
    return [User.objects.create(username=name, role=role, created_at=now) for name, role in PEOPLE]


def make_stage(app: DemoProject, *, users: list[User], now: datetime) -> Stage:
    """The project of an application, with every member in it."""
    project = create_project(name=app.name, slug=app.slug, created_by=users[0], now=now).project
    project = choose_grouping(project=project, grouping=app.grouping, actor=COMMAND_LINE, now=now)
    Membership.objects.bulk_create(Membership(project=project, user=user) for user in users if user.role == Role.MEMBER)
    return Stage(project, app)


def play_hour(stage: Stage, hour_ms: int, *, now_ms: int, chance: random.Random, fingerprints: dict[int, str]) -> int:
    """Append one hour of a project's events to the buffer, in batches of five minutes. Returns how many."""
    moments: list[tuple[int, int]] = []
    for index, issue in enumerate(ISSUES):
        if issue.project == stage.app.slug:
            moments += [(at, index) for at in moments_of(issue, hour_ms, now_ms=now_ms, chance=chance)]
    count = 0
    for _, together in groupby(sorted(moments), key=lambda moment: moment[0] // SLOT_MS):
        events: list[Event] = []
        for at_ms, index in together:
            event = make_event(stage, ISSUES[index], at_ms, now_ms=now_ms, chance=chance)
            if event is not None:
                fingerprints[index] = event.fingerprint
                events.append(event)
        if events:
            keep(stage, events)
            count += len(events)
    return count


def keep(stage: Stage, events: list[Event]) -> None:
    """Append events as one batch, received when the last of them came in."""
    buffer.append(
        kind="errors",
        project_id=stage.project.pk,
        body=encode_events(events),
        items=len(events),
        now_ms=max(event.timestamp_ms for event in events),
    )


def moments_of(issue: DemoIssue, hour_ms: int, *, now_ms: int, chance: random.Random) -> Iterator[int]:
    """The instants in this hour at which the issue happens: a Poisson draw on its rate."""
    rate = issue.per_day / 24 * rhythm(hour_ms)
    if issue.spike is not None:
        distance = abs(hour_ms - (now_ms - issue.spike[0] * DAY_MS))
        rate *= issue.spike[1] if distance < 1.5 * HOUR_MS else 1
    if issue.in_outages and is_outage(hour_ms, now_ms=now_ms):
        rate += OUTAGE_RATE
    for _ in range(poisson(rate, chance)):
        at = hour_ms + chance.randrange(HOUR_MS)
        if at < now_ms:
            yield at


def make_event(stage: Stage, issue: DemoIssue, at_ms: int, *, now_ms: int, chance: random.Random) -> Event | None:
    """The event, or None when the issue is not in the release that would have sent it."""
    release = stage.release_at(at_ms, now_ms, chance)
    if issue.since and stage.order(release) < stage.order(issue.since):
        return None
    if issue.until and stage.order(release) >= stage.order(issue.until):
        return None
    raw: dict[str, Any] = {
        "timestamp": at_ms - chance.randrange(50, 900),
        "source": stage.app.source_of(issue),
        "environment": "staging" if chance.random() < issue.staging else "production",
        "release": release,
        "error_type": issue.error_type,
        "message": filled(issue.message, chance),
        "stack": issue.stack or None,
        "route_or_procedure": filled(issue.route, chance) if issue.route else None,
        "screen": issue.screen,
        "http_status": issue.http_status,
        "request_id": f"req_{chance.getrandbits(48):012x}",
        "user_id_hash": f"u_{int(chance.paretovariate(0.8)) % 4000:04x}",
        "metadata": {**issue.metadata, "region": chance.choice(("eu-central", "eu-west", "us-east"))},
    }
    return parse_event(raw, limits=LIMITS, grouping=stage.project.grouping, now_ms=at_ms)


def tell_failures(stage: Stage, failed: list[Failed], *, now_ms: int, chance: random.Random) -> int:
    """Send the error event of each of these traces: its metadata names the trace. Returns how many."""
    error_type = UNREADABLE.partition(" codec")[0]
    issue = next(each for each in ISSUES if each.project == API and each.message.startswith(error_type))
    for each in failed:
        telling = replace(issue, metadata={**issue.metadata, "trace_id": each.trace_id})
        event = make_event(stage, telling, each.at_ms, now_ms=now_ms, chance=chance)
        assert event is not None, "the issue is in every release"  # noqa: S101
        keep(stage, [event])
    flush_all()
    return len(failed)


def filled(text: str, chance: random.Random) -> str:
    """The text with its placeholders drawn."""
    return (
        text.replace("{n}", str(chance.randrange(100, 9000)))
        .replace("{id}", str(uuid.UUID(int=chance.getrandbits(128), version=4)))
        .replace("{ip}", f"10.0.{chance.randrange(4)}.{chance.randrange(250)}")
    )


def tell_stories(
    stages: dict[str, Stage], hour_ms: int, *, now_ms: int, fingerprints: dict[int, str], users: list[User]
) -> None:
    """Make the status changes people made in this hour."""
    for index, issue in enumerate(ISSUES):
        for days, status in issue.story:
            at = int(now_ms - days * DAY_MS)
            if not hour_ms <= at < hour_ms + HOUR_MS or index not in fingerprints:
                continue
            flush_all()
            row = find_issue(project_id=stages[issue.project].project.pk, fingerprint=fingerprints[index])
            if row is not None:
                actor = Actor(users[index % len(users)].pk)
                change_status(issue_id=row.pk, change=Change(status), actor=actor, now_ms=hour_ms + HOUR_MS - 1)
