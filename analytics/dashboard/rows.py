"""Rows of the section's tables: an issue with its address, and a row that opens to show its chart."""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.dashboard.shell import Shell
from bloop_site.lib.charts import Chart, Series
from bloop_site.lib.clock import HOUR_MS
from bloop_site.lib.links import with_query
from bloop_site.templatetags.ui import visible
from errors.links import issue_url
from errors.queries.insights import NamedIssue

LONG_TITLE = 60


@dataclass(frozen=True)
class IssueLink:
    """An issue as a row shows it: where it leads, and what its project is called."""

    of: NamedIssue
    url: str
    project_name: str

    @property
    def title(self) -> str:
        """Its type, or else its message."""
        return self.of.error_type or self.of.message


@dataclass(frozen=True)
class Opening:
    """The chart of a row, open or not. key: its name in the address; url: the address with it opened or closed."""

    key: str
    url: str
    is_open: bool


def issue_link(shell: Shell, issue: NamedIssue) -> IssueLink:
    """The issue, to be linked to."""
    url = issue_url(issue.project_slug, issue.fingerprint)
    return IssueLink(issue, url, shell.project_names.get(issue.project_slug, issue.project_slug))


def opening(shell: Shell, *parts: int) -> Opening:
    """What opens and closes the row that these numbers name."""
    key = "-".join(map(str, parts))
    is_open = shell.open_key == key
    return Opening(key, with_query(shell.query, open=None if is_open else key), is_open)


def hourly(
    series: Sequence[Series],
    starts_ms: tuple[int, ...],
    *,
    kind: str,
    focus: tuple[int, int] | None = None,
    note: str = "",
    can_zoom: bool = True,
) -> Chart:
    """A chart of a row, its numbers shown with it. note: what is in focus."""
    return Chart(
        name="opened",
        title="Events",
        kind=kind,
        unit="count",
        series=tuple(series),
        step_ms=HOUR_MS,
        starts_ms=starts_ms,
        focus=focus,
        note=note,
        is_open=True,
        can_zoom=can_zoom,
    )


def short_title(issue: IssueLink) -> str:
    """Its title, cut for a legend."""
    title = visible(issue.title)
    return title if len(title) <= LONG_TITLE else f"{title[: LONG_TITLE - 1]}…"


def issue_cells(issue: NamedIssue) -> tuple[object, ...]:
    """The columns of an issue in a download."""
    return issue.project_slug, issue.error_type, issue.message, issue.status, issue.fingerprint


ISSUE_HEADER = ("project", "error_type", "message", "status", "fingerprint")
