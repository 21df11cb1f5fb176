"""What Insights answers: rows of its five tabs, and what they are asked with."""

from dataclasses import dataclass

from errors.queries.insights import NamedIssue
from projects.access import Reach

USUAL_HOURS, MAX_HOURS = 72, 720
USUAL_LIMIT, MAX_LIMIT = 20, 100


@dataclass(frozen=True)
class Ask:
    """hours: 1 to 720 clock hours; limit: 1 to 100; environment: "" for all.

    The running hour is the last, or the one before `ends_ms`, the end of an hour, where hours were chosen.
    """

    reach: Reach
    hours: int
    now_ms: int
    limit: int = USUAL_LIMIT
    environment: str = ""
    ends_ms: int | None = None

    @property
    def last_ms(self) -> int:
        """An instant (epoch ms) in the last of the hours."""
        return self.now_ms if self.ends_ms is None else self.ends_ms - 1


@dataclass(frozen=True)
class Spike:
    """An hour of an issue that stands out. score: z of the method that found it; counts: every hour of the window.

    expected: what the method takes for usual in that hour; stddev: its spread, in events.
    """

    issue: NamedIssue
    hour_ms: int
    count: int
    expected: float
    stddev: float
    score: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Mover:
    """Events in the window and in the one before it. counts: every hour of both, oldest first."""

    issue: NamedIssue
    count_current: int
    count_previous: int
    delta: int
    delta_pct: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Two issues whose hourly counts go together; a's fingerprint is the smaller."""

    a: NamedIssue
    b: NamedIssue
    correlation: float
    counts_a: tuple[int, ...]
    counts_b: tuple[int, ...]


@dataclass(frozen=True)
class ReleaseImpact:
    """A release over all its events (contract 7.4). is_first: none of its project appeared before it."""

    project_id: str
    project_slug: str
    release: str
    first_seen_ms: int
    error_count: int
    unique_fingerprints: int
    new_fingerprints: int
    error_delta: int
    impact_score: float
    is_first: bool


@dataclass(frozen=True)
class EnvironmentShare:
    """An environment in the window; percentiles over the hours that have events. counts: every hour of the window."""

    environment: str
    total_count: int
    unique_errors: int
    pct_of_total: float
    p50_hourly: float
    p90_hourly: float
    p99_hourly: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Environments:
    """All environments, and the events of all of them together."""

    environments: tuple[EnvironmentShare, ...]
    total_count: int
