"""What the demo is made of: its applications, their releases, and the shape of an issue."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoIssue:
    """One bug. per_day: events on an ordinary day. spike: (days before now, times as many) for two hours.

    in_outages: it happens more often while the payment provider is down. since, until: the releases it begins and ends
    with. story: (days before now, status) set by a person.
    Messages may hold {n}, {id}, {ip} and {user}.
    """

    project: str
    error_type: str
    message: str
    stack: str
    per_day: float
    route: str | None = None
    screen: str | None = None
    http_status: int | None = None
    spike: tuple[float, float] | None = None
    in_outages: bool = False
    since: str | None = None
    until: str | None = None
    story: tuple[tuple[float, str], ...] = ()
    staging: float = 0.06
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoProject:
    """A sending application. releases: (version, days before now it went out), oldest first."""

    name: str
    slug: str
    sources: tuple[str, ...]
    releases: tuple[tuple[str, float], ...]
    grouping: str = "v1"

    def source_of(self, issue: DemoIssue) -> str:
        """The source that sends an issue: by the look of its stack where the project has several."""
        return self.sources[0] if len(self.sources) == 1 or issue.stack.startswith("0 ") else self.sources[-1]


WEB, API, APP = "storefront", "checkout-api", "mobile-app"

PROJECTS = (
    DemoProject("Storefront", WEB, ("web",), (("5.11.0", 14), ("5.12.0", 9.4), ("5.12.1", 8.9), ("5.13.0", 2.3))),
    DemoProject(
        "Checkout API",
        API,
        ("python",),
        (("2026.11.1", 14), ("2026.11.2", 11.2), ("2026.11.3", 6.6), ("2026.11.4", 3.1), ("2026.11.5", 0.6)),
        grouping="v2",
    ),
    DemoProject(
        "Mobile app", APP, ("ios", "android"), (("3.8.0 (412)", 14), ("3.8.1 (418)", 7.5), ("3.9.0 (431)", 1.4))
    ),
)
