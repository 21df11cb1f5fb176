"""What every kind of rule is judged by: the rule as it is enabled, and the alert that comes of it. Pure."""

from dataclasses import dataclass

from alerts.configs import Config

WHOLE_PROJECT = ""  # the key of a rule that counts all events of a project
MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An enabled rule. project_id: None for every project; environment, source: its filters; changed_ms: when last."""

    id: int
    name: str
    project_id: str | None
    config: Config
    environment: str | None = None
    source: str | None = None
    cooldown_secs: int
    changed_ms: int = 0

    def covers(self, project_id: str) -> bool:
        """Whether the rule is about the project."""
        return self.project_id in (None, project_id)

    def lets_through(self, environment: str, source: str) -> bool:
        """Whether the filters match an event of this environment and source."""
        return self.environment in (None, environment) and self.source in (None, source)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What a rule that fires says. key: what its cooldown counts by; cause: it fires once for each.

    page: whose page tells more: "issue", "errors" or "llm". measured and threshold in the rule's own unit.
    """

    key: str
    cause: str
    title: str
    message: str
    page: str
    fingerprint: str | None = None
    environment: str | None = None
    release: str | None = None
    measured: float | None = None
    threshold: float | None = None
    lines: tuple[tuple[str, str], ...] = ()


def cause_now(kind: str, key: str, now_ms: int) -> str:
    """The cause of a rule that is true for a while: one a minute, whoever looks how often."""
    return f"{kind}:{key}"[:280] + f":{now_ms - now_ms % MINUTE_MS}"


def times(count: int) -> str:
    """A number of events in words."""
    return "1 event" if count == 1 else f"{count:,} events"


def dollars(micros: float) -> str:
    """Microdollars as dollars with four decimals."""
    return f"${micros / 1_000_000:.4f}"
