"""A batch of events, grouped in memory by everything that is counted: all that can be done before a lock is held."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from bloop_site.lib.clock import hour_of, minute_of
from errors.contract import Event

IssueKey = tuple[str, str]  # project id, fingerprint
ReleaseKey = tuple[str, str]  # project id, name


class Received(msgspec.Struct, frozen=True, gc=False):
    """An event with what only the server knows of it."""

    project_id: str
    received_ms: int
    event: Event


@dataclass(slots=True)
class Tally:
    """What a batch adds to one issue or aggregate. Descriptive columns are the first event's (contract 3.1)."""

    first: Received
    last: Received
    count: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def add(self, received: Received) -> None:
        at = received.received_ms
        self.count += 1
        self.first_ms = min(self.first_ms or at, at)
        if at >= self.last_ms:
            self.last, self.last_ms = received, at


@dataclass(slots=True)
class Seen:
    """What a batch adds to one release."""

    count: int
    first_ms: int
    last_ms: int


@dataclass
class Tallies:
    """A batch, grouped by everything that is counted."""

    issues: dict[IssueKey, Tally] = field(default_factory=dict)
    aggregates: dict[tuple[IssueKey, str, str], Tally] = field(default_factory=dict)
    minutes: defaultdict[tuple[IssueKey, int, str, str], int] = field(default_factory=lambda: defaultdict(int))
    release_hours: defaultdict[tuple[ReleaseKey, int], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, received: Received) -> None:
        event, at = received.event, received.received_ms
        key = (received.project_id, event.fingerprint)
        issue = self.issues.get(key)
        if issue is None:
            issue = self.issues[key] = Tally(received, received)
        issue.add(received)
        aggregate_key = (key, event.release, event.environment)
        aggregate = self.aggregates.get(aggregate_key)
        if aggregate is None:
            aggregate = self.aggregates[aggregate_key] = Tally(received, received)
        aggregate.add(received)
        self.minutes[key, minute_of(at), event.environment, event.source] += 1
        self.release_hours[(received.project_id, event.release), hour_of(at)] += 1

    def hours(self) -> dict[tuple[IssueKey, int, str, str], int]:
        """The minutes summed to hours."""
        summed: defaultdict[tuple[IssueKey, int, str, str], int] = defaultdict(int)
        for (key, minute_ms, environment, source), count in self.minutes.items():
            summed[key, hour_of(minute_ms), environment, source] += count
        return summed

    def project_hours(self) -> dict[tuple[str, int, str, str], int]:
        """The hours summed over issues."""
        summed: defaultdict[tuple[str, int, str, str], int] = defaultdict(int)
        for ((project_id, _), minute_ms, environment, source), count in self.minutes.items():
            summed[project_id, hour_of(minute_ms), environment, source] += count
        return summed

    def project_minutes(self) -> dict[tuple[str, int], int]:
        """The minutes summed over issues and places."""
        summed: defaultdict[tuple[str, int], int] = defaultdict(int)
        for ((project_id, _), minute_ms, _, _), count in self.minutes.items():
            summed[project_id, minute_ms] += count
        return summed

    def minutes_of_rules(self, quiet: set[IssueKey]) -> dict[tuple[str, int, str, str], int]:
        """The minutes summed over issues, without the quiet ones: what alert rules count."""
        summed: defaultdict[tuple[str, int, str, str], int] = defaultdict(int)
        for (key, minute_ms, environment, source), count in self.minutes.items():
            if key not in quiet:
                summed[key[0], minute_ms, environment, source] += count
        return summed

    def releases(self) -> dict[ReleaseKey, Seen]:
        """The aggregates summed over issues and environments."""
        summed: dict[ReleaseKey, Seen] = {}
        for ((project_id, _), release, _), tally in self.aggregates.items():
            seen = summed.setdefault((project_id, release), Seen(0, tally.first_ms, tally.last_ms))
            seen.count += tally.count
            seen.first_ms = min(seen.first_ms, tally.first_ms)
            seen.last_ms = max(seen.last_ms, tally.last_ms)
        return summed

    def releases_of(self, keys: set[IssueKey]) -> dict[str, int]:
        """The releases in which these issues happened, with the last time each did."""
        found: dict[str, int] = {}
        for (key, release, _), tally in self.aggregates.items():
            if key in keys:
                found[release] = max(found.get(release, 0), tally.last_ms)
        return found


@dataclass(frozen=True, slots=True)
class Batch:
    """Events and their tallies."""

    events: Sequence[Received]
    tallies: Tallies


def tallied(events: Sequence[Received]) -> Batch:
    """The events with what they add to every count."""
    tallies = Tallies()
    for received in events:
        tallies.add(received)
    return Batch(events, tallies)
